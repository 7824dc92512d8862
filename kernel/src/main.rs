//! Starts the kernel.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use omniglot_kernel_hardware::Board;

#[riscv_rt::entry]
fn main() -> ! {
    loop {
        if let Some(board) = Board::take() {
            omniglot_kernel::run(board)
        }
    }
}
