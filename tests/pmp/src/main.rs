//! A kernel whose only business is to run foreign code, and to look at what comes of it:
//! the conformance suite, and attacks, under RISC-V physical memory protection.
#![no_std]
#![no_main]

mod board;
mod conformance;
mod tally;

use tally::Tally;

#[riscv_rt::entry]
fn main() -> ! {
    board::interrupts_on();
    let mut tally = Tally::default();
    conformance::run(&mut tally);
    tally.report();
    board::finish(tally.is_good())
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("the kernel panicked: {info}");
    board::finish(false)
}

/// A trap of the kernel's own that nothing handles.
#[unsafe(export_name = "ExceptionHandler")]
#[allow(unsafe_code)]
fn exception(_: &riscv_rt::TrapFrame) -> ! {
    let (cause, address) = (riscv::register::mcause::read(), riscv::register::mepc::read());
    say!("the kernel faulted: {cause:?} at {address:#x}, {:#x}", riscv::register::mtval::read());
    board::finish(false)
}
