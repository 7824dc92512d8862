//! What the gate does for a domain behind a key besides what it does on `Unprotected`, but for
//! the two writes of PKRU: it clears all registers of the x87 and vector units.
#![allow(unsafe_code)]

use std::arch::x86_64::__cpuid_count;

use anyhow::Result;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;

/// Bits of the features that the gate knows.
const AVX: u32 = 1;
const AVX512: u32 = 2;
const KEEPS_OPERAND: u32 = 16;

unsafe extern "C" {
    /// That part of the gate.
    fn omniglot_clear_registers(features: u32);
}

/// One operation is what one way in does; the way out does nothing of the kind.
pub(crate) fn clearing(_: &Inputs, size: usize) -> Result<Workload> {
    let avx = if std::arch::is_x86_feature_detected!("avx") { AVX } else { 0 };
    let wide = if std::arch::is_x86_feature_detected!("avx512f") { AVX512 } else { 0 };
    // CPUID leaf 7, `FDP_EXCPTN_ONLY` (SDM volume 2); a processor with AVX-512 has the leaf.
    let keeps = wide != 0 && __cpuid_count(7, 0).ebx & 1 << 6 != 0;
    let operand = if keeps { KEEPS_OPERAND } else { 0 };
    let features = avx | wide | operand;
    let gate = Variant::new("gate", move |count| {
        for _ in 0..count {
            // SAFETY: changes registers only, none of which a callee has to keep (System V ABI,
            // section 3.2.1), and of the features those that this machine has.
            unsafe { omniglot_clear_registers(features) };
        }
        Ok(())
    });
    Ok(Workload { size, variants: vec![gate] })
}
