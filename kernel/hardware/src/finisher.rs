//! The device that stops the machine (QEMU's `hw/misc/sifive_test.c`).
#![allow(unsafe_code)]

use crate::mmio::Register;

/// Its address (`hw/riscv/virt.c`, `VIRT_TEST`).
const ADDRESS: usize = 0x10_0000;
const FAIL: u32 = 0x3333;
const PASS: u32 = 0x5555;

/// Whether the program succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Success: QEMU's exit status is 0.
    Good,
    /// Failure: QEMU exits with this status, which should not be 0.
    Bad(u8),
}

/// Stops the machine.
#[derive(Debug)]
pub struct Finisher(());

impl Finisher {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Stops the machine.
    pub fn finish(self, outcome: Outcome) -> ! {
        // SAFETY: this is the device's register (invariant 2). Writing to it stops the machine or
        // does
        // nothing.
        let register = unsafe { Register::<u32>::new(ADDRESS) };
        register.write(match outcome {
            Outcome::Good => PASS,
            Outcome::Bad(code) => u32::from(code) << 16 | FAIL,
        });
        loop {
            riscv::asm::wfi();
        }
    }
}
