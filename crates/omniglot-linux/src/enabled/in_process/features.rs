//! Which registers the gate has to clear before foreign code runs, and whether it knows all.
#![allow(unsafe_code)]

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{__cpuid_count, _xgetbv};

/// Bits of `Crossing::features`; [`gate::BELIEVES`](super::gate::BELIEVES) is 4.
pub(super) const AVX: u32 = 1;
pub(super) const AVX512: u32 = 2;
pub(super) const AMX: u32 = 8;

/// Tiles and their configuration, in XCR0 and in XINUSE (Intel SDM volume 1, section 13.1).
pub(super) const TILES: u32 = 0x6_0000;
/// What the gate clears (x87, SSE, AVX, AVX-512, tiles) or sets (PKRU); and the bounds of MPX,
/// in which there is nothing, since no instruction writes any until the program switches them
/// on, which the C library and compilers no longer do (SDM volume 1, appendix E).
const KNOWN: u64 = 0x2e7 | 0x18 | TILES as u64;

/// What there is to clear. What the kernel does not enable cannot be cleared.
pub(super) fn features() -> u32 {
    let avx = if is_x86_feature_detected!("avx") { AVX } else { 0 };
    let wide = if is_x86_feature_detected!("avx512f") { AVX512 } else { 0 };
    let tiles = if has_tiles() { AMX } else { 0 };
    avx | wide | tiles
}

/// Whether there are registers of a kind that the gate does not know: what the host has in them
/// would be foreign code's to read.
pub(in super::super) fn has_unknown_registers() -> bool {
    enabled() & !KNOWN != 0
}

/// Both kinds of state, and `XGETBV` with ECX = 1, which says whether they are in use
/// (SDM volume 2, CPUID leaf 0DH).
fn has_tiles() -> bool {
    let tiles = u64::from(TILES);
    enabled() & tiles == tiles && has_in_use()
}

fn has_in_use() -> bool {
    __cpuid_count(0xd, 1).eax & 1 << 2 != 0
}

/// XCR0: what the kernel has enabled.
fn enabled() -> u64 {
    if !is_x86_feature_detected!("xsave") {
        return 0;
    }
    // SAFETY: the processor has it, and the kernel has enabled it (OSXSAVE), which is detected,
    // too.
    unsafe { _xgetbv(0) }
}

#[cfg(test)]
mod tests {
    use super::super::gate::omniglot_clear_registers;
    use super::*;

    #[test]
    fn registers_are_cleared_whatever_the_processor_has() {
        // Tiles are not in use here, so that asking for them is all that happens.
        let asked = if has_in_use() { AMX } else { 0 };
        for features in [0, features(), features() | asked] {
            // SAFETY: changes registers only, none of which a callee has to keep (System V ABI,
            // section 3.2.1), and of the features those that this machine has.
            unsafe { omniglot_clear_registers(features) };
        }
    }

    #[test]
    fn all_state_of_this_machine_is_known() {
        assert!(!has_unknown_registers(), "XCR0 is {:#x}", enabled());
    }
}
