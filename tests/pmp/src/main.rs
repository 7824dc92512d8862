//! A kernel that only runs foreign code and checks the results: the conformance suite and attacks,
//! under RISC-V physical memory protection.
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
mod lockdown;
mod tally;

/// The hostile library's bindings.
mod hostile {
    omniglot::include_library!("hostile");
}

use tally::Tally;

#[riscv_rt::entry]
fn main() -> ! {
    board::interrupts_on();
    let mut tally = Tally::default();
    if board::is_to_be_locked_down() {
        lockdown::run(&mut tally);
    } else {
        all_others(&mut tally);
    }
    tally.report();
    board::finish(tally.is_good())
}

fn all_others(tally: &mut Tally) {
    board::set_protection();
    cost::run();
    article::run(tally);
    conformance::run(tally);
    images::run(tally);
    interrupts::run(tally);
    attacks::run(tally);
    images::locked(tally);
}
