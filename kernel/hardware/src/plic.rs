//! The interrupt controller for devices (RISC-V Platform-Level Interrupt Controller specification
//! 1.0). The kernel polls its devices; it uses the controller only to wake a hart that sleeps.
#![allow(unsafe_code)]

use crate::mmio::Register;

/// Its address (`hw/riscv/virt.c`, `VIRT_PLIC`).
const ADDRESS: usize = 0x0c00_0000;
/// The enabled sources: eight virtio devices and the serial line.
const SOURCES: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 10];
/// Registers of the first hart's machine mode.
const ENABLE: usize = ADDRESS + 0x2000;
const THRESHOLD: usize = ADDRESS + 0x20_0000;
const CLAIM: usize = THRESHOLD + 4;

const fn register(address: usize) -> Register<u32> {
    // SAFETY: this module only uses addresses of the controller's registers (invariant 2).
    unsafe { Register::new(address) }
}

/// Enables all sources.
pub(crate) fn open() {
    let mut enabled = 0;
    for source in SOURCES {
        register(ADDRESS + 4 * usize::from(source)).write(1);
        enabled |= 1 << source;
    }
    register(ENABLE).write(enabled);
    register(THRESHOLD).write(0);
}

/// Claims and completes all pending interrupts. A source that is still pending afterwards
/// interrupts again.
pub(crate) fn acknowledge() {
    let claim = register(CLAIM);
    loop {
        let source = claim.read();
        if source == 0 {
            return;
        }
        claim.write(source);
    }
}
