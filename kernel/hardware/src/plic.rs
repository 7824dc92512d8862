//! The interrupt controller for devices (RISC-V Platform-Level Interrupt Controller
//! specification 1.0). The kernel looks at its devices itself; the controller is there so
//! that a hart that sleeps wakes up.
#![allow(unsafe_code)]

use crate::mmio::Register;

/// Where it is (`hw/riscv/virt.c`, `VIRT_PLIC`).
const ADDRESS: usize = 0x0c00_0000;
/// The sources that are used: eight virtio devices, and the serial line.
const SOURCES: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 10];
/// Registers of the first hart's machine mode.
const ENABLE: usize = ADDRESS + 0x2000;
const THRESHOLD: usize = ADDRESS + 0x20_0000;
const CLAIM: usize = THRESHOLD + 4;

const fn register(address: usize) -> Register<u32> {
    // SAFETY: this module names registers of the controller only (invariant 2).
    unsafe { Register::new(address) }
}

/// Lets all sources through.
pub(crate) fn open() {
    let mut enabled = 0;
    for source in SOURCES {
        register(ADDRESS + 4 * usize::from(source)).write(1);
        enabled |= 1 << source;
    }
    register(ENABLE).write(enabled);
    register(THRESHOLD).write(0);
}

/// Claims and completes what is pending; a source that is still pending afterwards interrupts
/// again.
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
