//! Tests the kernel's services on the board, and prints results in the format of Rust's test
//! harness.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod compression;
mod cryptography;
mod domains;
mod faulty;
mod files;
mod network;
mod report;
mod vectors;

use omniglot_kernel::Kernel;
use omniglot_kernel_hardware::{Board, Outcome};

use report::Report;

/// The exit status if a test failed, the same as that of Rust's test harness.
const FAILED: u8 = 101;

#[riscv_rt::entry]
fn main() -> ! {
    loop {
        if let Some(board) = Board::take() {
            run(board)
        }
    }
}

fn run(board: Board) -> ! {
    let (mut kernel, finisher) = Kernel::new(board);
    let mut report = Report::default();
    cryptography::run(&mut kernel, &mut report);
    compression::run(&mut kernel, &mut report);
    files::run(&mut kernel, &mut report);
    network::run(&mut kernel, &mut report);
    domains::run(&mut kernel, &mut report);
    let good = report.end(&mut kernel.uart);
    finisher.finish(if good { Outcome::Good } else { Outcome::Bad(FAILED) })
}
