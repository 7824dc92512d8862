//! Recognises an instruction by the bytes that the processor would fetch.
//!
//! Prefixes that change nothing are not part of a pattern: an attacker can jump behind them.
//! Encodings are from the Intel SDM, volume 2. What needs privilege is from volume 3.

use iced_x86::{Decoder, DecoderOptions};

use crate::kind::Kind;

/// The maximum length of an instruction in bytes.
pub(crate) const LONGEST: usize = 15;

/// The first byte of most patterns.
pub(crate) const ESCAPE: u8 = 0x0f;
/// `INT imm8`.
pub(crate) const INTERRUPT: u8 = 0xcd;
/// The two-byte prefix REX2 (Intel APX), which can replace the escape byte.
pub(crate) const REX2: u8 = 0xd5;

/// Returns the instruction that begins at the first of `bytes`, and its length.
///
/// A truncated instruction counts if the available bytes identify it: the remaining bytes may be
/// anything.
pub(crate) fn at(bytes: &[u8]) -> Option<(Kind, usize)> {
    match *bytes {
        [ESCAPE, 0x01, 0xef, ..] => Some((Kind::Wrpkru, 3)),
        // If its top bit is set, the prefix's second byte selects the same opcodes as the escape
        // byte.
        [REX2, payload, 0x01, 0xef, ..] if payload & 0x80 != 0 => Some((Kind::Wrpkru, 4)),
        // `XRSTOR` faults with that prefix, so it needs no second pattern.
        [ESCAPE, 0xae, operand, ..] if is_memory(operand) && field(operand) == 5 => {
            Some((Kind::Xrstor, length(bytes)))
        }
        [ESCAPE, 0xae, operand, ..] if !is_memory(operand) && field(operand) == 2 => {
            Some((Kind::Wrfsbase, 3))
        }
        [ESCAPE, 0xae, operand, ..] if !is_memory(operand) && field(operand) == 3 => {
            Some((Kind::Wrgsbase, 3))
        }
        [ESCAPE, 0xc7, operand, ..] if is_memory(operand) && field(operand) == 3 => {
            Some((Kind::Xrstors, length(bytes)))
        }
        [ESCAPE, 0x05, ..] => Some((Kind::Syscall, 2)),
        [ESCAPE, 0x34, ..] => Some((Kind::Sysenter, 2)),
        [INTERRUPT, 0x80, ..] => Some((Kind::Int80, 2)),
        _ => None,
    }
}

/// Returns true if a ModRM byte names an operand in memory.
const fn is_memory(operand: u8) -> bool {
    operand >> 6 != 3
}

/// The middle field of a ModRM byte, which selects one instruction of a group.
const fn field(operand: u8) -> u8 {
    operand >> 3 & 7
}

/// The length of the instruction, at most the number of available bytes.
fn length(bytes: &[u8]) -> usize {
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let instruction = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    if instruction.is_invalid() { bytes.len() } else { instruction.len() }
}

#[cfg(test)]
mod tests {
    use super::{Kind, at};

    #[test]
    fn every_form_is_recognised() {
        for (bytes, kind, length) in [
            (&[0x0f, 0x01, 0xef][..], Kind::Wrpkru, 3),
            (&[0xd5, 0x80, 0x01, 0xef], Kind::Wrpkru, 4),
            (&[0x0f, 0xae, 0x28], Kind::Xrstor, 3),
            (&[0x0f, 0xae, 0x6c, 0x24, 0x40, 0x90], Kind::Xrstor, 5),
            (&[0x0f, 0xae, 0xac, 0x24, 1, 2, 3, 4], Kind::Xrstor, 8),
            (&[0x0f, 0xae, 0x2d, 1, 2, 3, 4], Kind::Xrstor, 7),
            (&[0x0f, 0xae, 0xac, 0x24], Kind::Xrstor, 4),
            (&[0x0f, 0xc7, 0x1f], Kind::Xrstors, 3),
            (&[0x0f, 0xae, 0xd0], Kind::Wrfsbase, 3),
            (&[0x0f, 0xae, 0xdf], Kind::Wrgsbase, 3),
            (&[0x0f, 0x05], Kind::Syscall, 2),
            (&[0x0f, 0x34], Kind::Sysenter, 2),
            (&[0xcd, 0x80], Kind::Int80, 2),
        ] {
            assert_eq!(at(bytes), Some((kind, length)), "{bytes:02x?}");
        }
    }

    #[test]
    fn neighbours_are_not() {
        for bytes in [
            &[0x0f, 0x01, 0xee][..], // RDPKRU
            &[0x0f, 0x01],
            &[0xd5, 0x00, 0x01, 0xef],
            &[0x0f, 0xae, 0xe8], // LFENCE
            &[0x0f, 0xae, 0x20], // XSAVE
            &[0x0f, 0xae, 0x08], // FXRSTOR
            &[0x0f, 0xae, 0xc0], // RDFSBASE
            &[0x0f, 0xc7, 0xd8],
            &[0x0f, 0xc7, 0x0f], // CMPXCHG8B
            &[0xcd, 0x81],
            &[],
        ] {
            assert_eq!(at(bytes), None, "{bytes:02x?}");
        }
    }
}
