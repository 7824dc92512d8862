//! Which registers the gate has to clear before foreign code runs, and whether it knows all.
#![allow(unsafe_code)]

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use super::x87;

/// Bits of `GateContext::features`; [`BELIEVES`](super::context::BELIEVES) is 4.
pub(super) const AVX: u32 = 1;
pub(super) const AVX512: u32 = 2;
pub(super) const AMX: u32 = 8;
/// The address of the last x87 operand changes only when an unmasked exception is raised
/// (`FDP_EXCPTN_ONLY`; SDM volume 1, section 8.1.8).
pub(super) const KEEPS_OPERAND: u32 = 16;

/// Tiles and their configuration, in XCR0 and in XINUSE (Intel SDM volume 1, section 13.1).
pub(super) const TILES: u32 = 0x6_0000;
/// What the gate clears (x87, SSE, AVX, AVX-512) or sets (PKRU), besides tiles. The bounds
/// registers of MPX are included because they are empty: no instruction writes them until the
/// program switches them on, which the C library and compilers no longer do (SDM volume 1, appendix
/// E).
const KNOWN: u64 = 0x2e7 | 0x18;

/// The registers that have to be cleared. What the kernel does not enable cannot be cleared.
pub(super) fn features() -> u32 {
    let avx = if is_x86_feature_detected!("avx") { AVX } else { 0 };
    let wide = if is_x86_feature_detected!("avx512f") { AVX512 } else { 0 };
    let tiles = if has_tiles() { AMX } else { 0 };
    let operand = if keeps_operand() { KEEPS_OPERAND } else { 0 };
    avx | wide | tiles | operand
}

/// Whether there are registers of a kind that the gate does not know: foreign code could read what
/// the host has in them.
pub(crate) fn has_unknown_registers() -> bool {
    let tiles = if has_in_use() { u64::from(TILES) } else { 0 };
    enabled() & !(KNOWN | tiles) != 0
}

/// Both kinds of state, and `XGETBV` with ECX = 1, which says whether they are in use
/// (SDM volume 2, CPUID leaf 0DH).
fn has_tiles() -> bool {
    let tiles = u64::from(TILES);
    enabled() & tiles == tiles && has_in_use()
}

/// As the processor reports, or as a test shows: a virtual machine may not pass the bit on.
fn keeps_operand() -> bool {
    let says_so = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & 1 << 6 != 0;
    says_so || x87::keeps_operand()
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
    // too (invariant 17).
    unsafe { _xgetbv(0) }
}

#[cfg(test)]
mod tests;
