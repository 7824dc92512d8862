//! Starts the kernel.
#![no_std]
#![no_main]
#![allow(unsafe_code)]
#![allow(missing_docs)]
use riscv_rt as _;
#[riscv_rt::entry]
fn main() -> ! {
    for byte in *b"hello from riscv32\n" {
        unsafe { core::ptr::write_volatile(0x1000_0000 as *mut u8, byte) }
    }
    unsafe { core::ptr::write_volatile(0x10_0000 as *mut u32, 0x5555) }
    loop {}
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
