//! A small kernel.
#![no_std]
#![forbid(unsafe_code)]
use core::fmt::Write;
use omniglot_kernel_hardware::*;
pub mod domain;
pub mod foreign;
pub mod services;
pub mod text;

/// Runs.
pub fn run(mut board: Board) -> ! {
    let _ = writeln!(board.uart, "hello {:?} {:?}", board.disk, board.network);
    for _ in 0..30 { board.idle.look(); board.idle.sleep(); }
    let _ = writeln!(board.uart, "ticks {}", ticks());
    board.finisher.finish(Outcome::Good)
}
