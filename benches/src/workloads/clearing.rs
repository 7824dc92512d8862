//! The gate's additional work for a domain behind a key, compared with `Unprotected`, except the
//! two writes of PKRU: it clears all registers of the x87 and vector units.
#![allow(unsafe_code)]

use std::arch::x86_64::__cpuid_count;

use anyhow::Result;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;

/// Bits of the CPU features that the gate distinguishes.
const AVX: u32 = 1;
const AVX512: u32 = 2;
const KEEPS_OPERAND: u32 = 16;

unsafe extern "C" {
    /// The part of the gate that clears the registers.
    fn omniglot_clear_registers(features: u32);
}

/// One operation is the work of one entry. The exit does nothing similar.
pub(crate) fn clearing(_: &Inputs, size: usize) -> Result<Workload> {
    let avx = if std::arch::is_x86_feature_detected!("avx") { AVX } else { 0 };
    let wide = if std::arch::is_x86_feature_detected!("avx512f") { AVX512 } else { 0 };
    // CPUID leaf 7, `FDP_EXCPTN_ONLY` (SDM volume 2); a processor with AVX-512 has the leaf.
    let keeps = wide != 0 && __cpuid_count(7, 0).ebx & 1 << 6 != 0;
    let operand = if keeps { KEEPS_OPERAND } else { 0 };
    let features = avx | wide | operand;
    let gate = Variant::new("gate", move |count| {
        for _ in 0..count {
            // SAFETY: this only changes registers that a callee need not preserve (System V ABI,
            // section 3.2.1), and `features` has only those that this machine supports.
            unsafe { omniglot_clear_registers(features) };
        }
        Ok(())
    });
    Ok(Workload { size, variants: vec![gate] })
}
