//! Tock's own programs, if there are any.
#![allow(unsafe_code)]

use core::ptr::slice_from_raw_parts;
use core::ptr::slice_from_raw_parts_mut;

use kernel::capabilities::ProcessManagementCapability;
use kernel::process::{FaultAction, Process, ProcessFaultPolicy};
use kernel::{Kernel, create_capability, debug};
use qemu_rv32_virt_lib::ChipHw;

// Tock's linker script defines these: the flash and the RAM for programs.
unsafe extern "C" {
    static _sapps: u8;
    static _eapps: u8;
    static mut _sappmem: u8;
    static _eappmem: u8;
}

/// Stops a program that faults. The others continue.
struct Stop;

impl ProcessFaultPolicy for Stop {
    fn action(&self, _: &dyn Process) -> FaultAction {
        FaultAction::Stop
    }
}

/// Loads the programs in flash.
///
/// # Safety
/// This is called only once, and the linker script is this board's.
pub(crate) unsafe fn load(kernel: &'static Kernel, chip: &'static ChipHw) {
    let flash_start = &raw const _sapps;
    let flash_len = (&raw const _eapps).addr() - flash_start.addr();
    let memory_start = &raw mut _sappmem;
    let memory_len = (&raw const _eappmem).addr() - memory_start.addr();
    // SAFETY: this is flash, which nothing writes while the kernel runs.
    let flash = unsafe { &*slice_from_raw_parts(flash_start, flash_len) };
    // SAFETY: this is RAM after all of the kernel's own, and only used here.
    let memory = unsafe { &mut *slice_from_raw_parts_mut(memory_start, memory_len) };
    let capability = create_capability!(ProcessManagementCapability);
    if let Err(error) =
        kernel::process::load_processes(kernel, chip, flash, memory, &Stop, &capability)
    {
        debug!("The programs do not load: {:?}", error);
    }
}
