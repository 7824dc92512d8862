//! Tock's own programs, of which there need not be any.
#![allow(unsafe_code)]

use core::ptr::slice_from_raw_parts;
use core::ptr::slice_from_raw_parts_mut;

use kernel::capabilities::ProcessManagementCapability;
use kernel::process::{FaultAction, Process, ProcessFaultPolicy};
use kernel::{Kernel, create_capability, debug};
use qemu_rv32_virt_lib::ChipHw;

// Tock's linker script defines them: flash and RAM for programs.
unsafe extern "C" {
    static _sapps: u8;
    static _eapps: u8;
    static mut _sappmem: u8;
    static _eappmem: u8;
}

/// A program that faults is stopped, and the others go on.
struct Stop;

impl ProcessFaultPolicy for Stop {
    fn action(&self, _: &dyn Process) -> FaultAction {
        FaultAction::Stop
    }
}

/// Loads what is in the flash for programs.
///
/// # Safety
/// Called once, and the linker script is this board's.
pub(crate) unsafe fn load(kernel: &'static Kernel, chip: &'static ChipHw) {
    let flash_start = &raw const _sapps;
    let flash_len = (&raw const _eapps).addr() - flash_start.addr();
    let memory_start = &raw mut _sappmem;
    let memory_len = (&raw const _eappmem).addr() - memory_start.addr();
    // SAFETY: flash that nobody writes while the kernel runs.
    let flash = unsafe { &*slice_from_raw_parts(flash_start, flash_len) };
    // SAFETY: RAM behind all of the kernel's own, given out here only.
    let memory = unsafe { &mut *slice_from_raw_parts_mut(memory_start, memory_len) };
    let capability = create_capability!(ProcessManagementCapability);
    if let Err(error) =
        kernel::process::load_processes(kernel, chip, flash, memory, &Stop, &capability)
    {
        debug!("The programs do not load: {:?}", error);
    }
}
