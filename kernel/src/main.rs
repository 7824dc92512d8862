//! Starts the kernel.

#![no_std]
#![no_main]
// What `entry` expands to makes the function known to the start-up code by name.
#![expect(unsafe_code)]

use omniglot_kernel_hardware::Board;

#[riscv_rt::entry]
fn main() -> ! {
    loop {
        if let Some(board) = Board::take() {
            omniglot_kernel::run(board)
        }
    }
}
