//! Tock's platform for this board, with one additional system call driver.

use kernel::platform::{KernelResources, SyscallDriverLookup};
use kernel::syscall::SyscallDriver;
use omniglot_tock_capsule::DRIVER;
use qemu_rv32_virt_lib::{ChipHw, QemuRv32VirtPlatform};

/// The same as `base`, except for programs' calls to driver number [`DRIVER`].
pub(crate) struct Platform {
    pub(crate) base: QemuRv32VirtPlatform,
    pub(crate) foreign: Option<&'static dyn SyscallDriver>,
}

impl SyscallDriverLookup for Platform {
    fn with_driver<F, R>(&self, number: usize, answer: F) -> R
    where
        F: FnOnce(Option<&dyn SyscallDriver>) -> R,
    {
        match number {
            DRIVER => answer(self.foreign),
            _ => self.base.with_driver(number, answer),
        }
    }
}

/// Returns a resource of the underlying platform.
macro_rules! from_base {
    ($($resource:ident by $method:ident,)*) => {
        $(type $resource = <QemuRv32VirtPlatform as KernelResources<ChipHw>>::$resource;)*
        $(fn $method(&self) -> &Self::$resource {
            self.base.$method()
        })*
    };
}

impl KernelResources<ChipHw> for Platform {
    type SyscallDriverLookup = Self;

    fn syscall_driver_lookup(&self) -> &Self {
        self
    }

    from_base! {
        SyscallFilter by syscall_filter,
        ProcessFault by process_fault,
        ContextSwitchCallback by context_switch_callback,
        Scheduler by scheduler,
        SchedulerTimer by scheduler_timer,
        WatchDog by watchdog,
    }
}
