//! Tock on QEMU's riscv32 board `virt`, with a capsule that uses foreign C libraries.
#![no_std]
#![no_main]

mod foreign;
mod programs;

use kernel::capabilities::MainLoopCapability;
use kernel::{create_capability, debug};

/// Tock's start-up code comes here when memory is set up.
///
/// # Safety
/// Called once, by nobody else.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
pub unsafe extern "C" fn main() -> ! {
    // SAFETY: once, before anything else.
    let (kernel, platform, chip) = unsafe { qemu_rv32_virt_lib::start() };
    if platform.process_console_start().is_err() {
        debug!("The process console does not start.");
    }
    // SAFETY: once, after Tock has set up its protection.
    match unsafe { foreign::start() } {
        Ok(demonstration) => demonstration.start(),
        Err(error) => debug!("The foreign libraries do not start: {}", error),
    }
    // SAFETY: once, and the memory is what layout.ld keeps for programs.
    unsafe { programs::load(kernel, chip) };
    let capability = create_capability!(MainLoopCapability);
    kernel.kernel_loop(&platform, chip, Some(&platform.ipc), &capability)
}
