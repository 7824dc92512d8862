//! A kernel whose only business is to run foreign code, and to look at what comes of it:
//! the conformance suite, and attacks, under RISC-V physical memory protection.
#![no_std]
#![no_main]

extern crate alloc;

mod article;
mod attacks;
mod board;
mod canaries;
mod conformance;
mod cost;
mod images;
mod interrupts;
mod tally;

/// The hostile library, as the kernel sees it.
mod hostile {
    omniglot::include_library!("hostile");
}

use tally::Tally;

#[riscv_rt::entry]
fn main() -> ! {
    board::set_protection();
    board::interrupts_on();
    let mut tally = Tally::default();
    cost::run();
    article::run(&mut tally);
    conformance::run(&mut tally);
    images::run(&mut tally);
    interrupts::run(&mut tally);
    attacks::run(&mut tally);
    images::locked(&mut tally);
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
