//! Panics and exceptions of the kernel itself: they print a message and stop the machine.
#![allow(unsafe_code)]

use core::fmt::Write;
use core::panic::PanicInfo;

use riscv::register::{mcause, mepc, mtval};
use riscv_rt::TrapFrame;

use crate::finisher::{Finisher, Outcome};
use crate::uart::Uart;

/// The exit status, the same as that of a Rust program that panics.
const PANIC: u8 = 101;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // If this fails, there is no other way to report it.
    let _ = writeln!(Uart::for_output(), "\nthe kernel: {info}");
    Finisher::new().finish(Outcome::Bad(PANIC))
}

/// Handles an exception of the kernel itself. Exceptions of foreign code go to the gate.
///
/// riscv-rt calls the function of this name for every exception that has no handler of its own.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_: &TrapFrame) -> ! {
    let (cause, place, value) = (mcause::read().code(), mepc::read(), mtval::read());
    let mut uart = Uart::for_output();
    let _ = writeln!(uart, "\nthe kernel: exception {cause} at {place:#x}, value {value:#x}");
    Finisher::new().finish(Outcome::Bad(PANIC))
}
