//! Tock on QEMU's riscv32 board `virt`, with a capsule that uses foreign C libraries.
#![no_std]
#![no_main]

mod foreign;
mod platform;
mod programs;

use kernel::capabilities::MainLoopCapability;
use kernel::syscall::SyscallDriver;
use kernel::{create_capability, debug};
use platform::Platform;

/// Entry point: Tock's start-up code calls this when memory is set up.
///
/// # Safety
/// This is called only once, by the start-up code.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub unsafe extern "C" fn main() -> ! {
    // SAFETY: this is called once, before anything else.
    let (kernel, base, chip) = unsafe { qemu_rv32_virt_lib::start() };
    if base.process_console_start().is_err() {
        debug!("The process console does not start.");
    }
    // SAFETY: this is called once, after Tock has set up its protection.
    let foreign = unsafe { foreign::start() };
    match &foreign {
        Ok(demonstration) => demonstration.start(),
        Err(error) => debug!("The foreign libraries do not start: {}", error),
    }
    let foreign = foreign.ok().map(|driver| driver as &dyn SyscallDriver);
    // SAFETY: this is called once, and the memory is what layout.ld reserves for programs.
    unsafe { programs::load(kernel, chip) };
    let platform = Platform { base, foreign };
    let capability = create_capability!(MainLoopCapability);
    kernel.kernel_loop(&platform, chip, Some(&platform.base.ipc), &capability)
}
