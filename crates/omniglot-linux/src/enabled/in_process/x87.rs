//! Tests which properties of the x87 unit the gate can rely on.
#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::OnceLock;

/// The status word's summary bit: an exception is pending (Intel SDM volume 1, section 8.1.3.3).
/// Below it are the bits of the six exceptions, from which it is computed.
const SUMMARY: u16 = 0x80;
const FORGED: u16 = 0xff;
/// All exceptions masked, as programs have them (System V ABI, section 3.2.1).
const ALL_MASKED: u16 = 0x37f;

/// Whether foreign code can leave an exception pending though the control word masks all.
///
/// Real processors compute the summary from flags and masks, whatever they load; QEMU accepts the
/// value that FLDENV loads.
pub(super) fn believes_summary() -> bool {
    static BELIEVES: OnceLock<bool> = OnceLock::new();
    *BELIEVES.get_or_init(|| (by_environment() | by_state()) & SUMMARY != 0)
}

/// The x87 environment in 64-bit mode: seven words of 32 bits (SDM volume 1, figure 8-9).
fn by_environment() -> u16 {
    let forged: [u32; 7] = [u32::from(ALL_MASKED), u32::from(FORGED), 0xffff, 0, 0, 0, 0];
    let mut control = 0u16;
    let status: u16;
    // SAFETY: reads and writes these variables. The x87 registers are empty here (System V
    // ABI, section 3.2.1) and afterwards, and the control word is the same again: neither
    // FNSTSW nor FNINIT raises what may wait (invariant 17).
    unsafe {
        asm!(
            "fnstcw [{control}]",
            "fldenv [{forged}]",
            "fnstsw ax",
            "fninit",
            "fldcw [{control}]",
            control = in(reg) &raw mut control,
            forged = in(reg) forged.as_ptr(),
            out("ax") status,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
    status
}

/// Clears the flags in the status word; the control word stays.
pub(super) fn forget_status() {
    let mut control = 0u16;
    // SAFETY: as in `by_environment`: the registers are empty before and afterwards, and the control
    // word is the same again (invariant 17).
    unsafe {
        asm!(
            "fnstcw [{control}]",
            "fninit",
            "fldcw [{control}]",
            control = in(reg) &raw mut control,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
}

/// What FXSAVE saves and FXRSTOR loads (SDM volume 1, table 10-2).
#[repr(C, align(16))]
struct FxState([u16; 256]);

fn by_state() -> u16 {
    let mut saved = FxState([0; 256]);
    let mut forged = FxState([0; 256]);
    let status: u16;
    // SAFETY: as above; both areas are large enough and aligned. All that is loaded, vector
    // registers included, was saved just before, but for status and control word (invariant 17).
    unsafe {
        asm!(
            "fxsave64 [{saved}]",
            "fxsave64 [{forged}]",
            "mov word ptr [{forged}], {control}",
            "mov word ptr [{forged} + 2], {status}",
            "fxrstor64 [{forged}]",
            "fnstsw ax",
            "fninit",
            "fxrstor64 [{saved}]",
            saved = in(reg) &raw mut saved,
            forged = in(reg) &raw mut forged,
            control = const ALL_MASKED,
            status = const FORGED,
            out("ax") status,
        );
    }
    status
}

/// Whether the address of the last operand stays when another one is loaded.
pub(super) fn keeps_operand() -> bool {
    /// The position of the address, in words of 16 bits, and a value that no operand has.
    const PLACE: usize = 8;
    const MARK: [u16; 4] = [0x1234, 0x5678, 0x0123, 0];
    static ZERO: f32 = 0.0;
    let mut saved = FxState([0; 256]);
    let mut marked = FxState([0; 256]);
    let mut after = FxState([0; 256]);
    // SAFETY: stores the unit's state (invariant 17).
    unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut marked) };
    marked.0[PLACE..PLACE + MARK.len()].copy_from_slice(&MARK);
    // SAFETY: as above; the registers are empty here, so that one can be loaded. What is loaded
    // last, vector registers included, was saved just before; nothing that is loaded first but
    // x87 registers is used by the instructions in between (invariant 17).
    unsafe {
        asm!(
            "fxsave64 [{saved}]",
            "fxrstor64 [{marked}]",
            "fld dword ptr [{zero}]",
            "fstp st(0)",
            "fxsave64 [{after}]",
            "fxrstor64 [{saved}]",
            saved = in(reg) &raw mut saved,
            marked = in(reg) &raw const marked,
            after = in(reg) &raw mut after,
            zero = in(reg) &raw const ZERO,
        );
    }
    after.0[PLACE..PLACE + MARK.len()] == MARK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_leaves_the_unit_as_it_was() {
        let control = || {
            let mut word = 0u16;
            // SAFETY: stores the control word (invariant 17).
            unsafe { asm!("fnstcw [{}]", in(reg) &raw mut word) };
            word
        };
        let before = control();
        let _ = (by_environment(), by_state(), keeps_operand());
        assert_eq!(control(), before);
        let mut sum = 0f64;
        // SAFETY: pushes and pops, so that the registers are empty again (invariant 17); with a
        // register in use the sum would be no number.
        unsafe {
            asm!(
                "fld1",
                "fadd st(0), st(0)",
                "fstp qword ptr [{sum}]",
                sum = in(reg) &raw mut sum,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            );
        }
        assert_eq!(sum.to_bits(), 2f64.to_bits());
    }
}
