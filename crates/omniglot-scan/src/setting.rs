//! Distinguishes intended instructions from bytes that only look like one.

use std::cmp::Ordering;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

use crate::find::{Code, Gadget};
use crate::kind::Kind;

/// The maximum distance in bytes from the last known function start at which decoding is trusted.
const FARTHEST: u64 = 1 << 20;

/// How a gadget relates to the instructions of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// It is an intended instruction, or the end of one that begins with prefixes.
    Intended {
        /// The instruction's address, prefixes included.
        start: u64,
        /// The instruction's length in bytes.
        length: usize,
    },
    /// It lies within an intended instruction, or spans two.
    Hidden,
    /// The instruction boundaries there are not known.
    Unknown,
}

/// Determines the setting of `gadget` by decoding `code` from the last of `starts` at or before it.
///
/// `starts` are addresses of functions in ascending order, as [`Image`](crate::Image) finds them.
#[must_use]
pub fn setting(gadget: &Gadget, code: &[Code<'_>], starts: &[u64]) -> Setting {
    let before = starts.partition_point(|&start| start <= gadget.address);
    let start = before.checked_sub(1).and_then(|last| starts.get(last)).copied();
    let near = start.filter(|&start| gadget.address - start <= FARTHEST);
    let known =
        near.and_then(|start| Some((start, code.iter().find_map(|range| range.from(start))?)));
    let Some((start, bytes)) = known else {
        return Setting::Unknown;
    };
    let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            return Setting::Unknown;
        }
        if instruction.next_ip() > gadget.address {
            return judge(gadget, &instruction);
        }
    }
    Setting::Unknown
}

/// The gadget's setting, given the decoded `instruction` that contains its first byte.
fn judge(gadget: &Gadget, instruction: &Instruction) -> Setting {
    let end = gadget.address.wrapping_add(gadget.length as u64);
    let ends_with_it = instruction.next_ip().cmp(&end) == Ordering::Equal;
    if ends_with_it && mnemonics(gadget.kind).contains(&instruction.mnemonic()) {
        return Setting::Intended { start: instruction.ip(), length: instruction.len() };
    }
    Setting::Hidden
}

const fn mnemonics(kind: Kind) -> &'static [Mnemonic] {
    match kind {
        Kind::Wrpkru => &[Mnemonic::Wrpkru],
        Kind::Xrstor => &[Mnemonic::Xrstor, Mnemonic::Xrstor64],
        Kind::Xrstors => &[Mnemonic::Xrstors, Mnemonic::Xrstors64],
        Kind::Wrfsbase => &[Mnemonic::Wrfsbase],
        Kind::Wrgsbase => &[Mnemonic::Wrgsbase],
        Kind::Syscall => &[Mnemonic::Syscall],
        Kind::Sysenter => &[Mnemonic::Sysenter],
        Kind::Int80 => &[Mnemonic::Int],
    }
}

#[cfg(test)]
mod tests {
    use super::{Setting, setting};
    use crate::find;
    use crate::find::Code;

    fn settings(bytes: &[u8], starts: &[u64]) -> Vec<Setting> {
        let code = [Code { address: 0x1000, bytes }];
        find(&code, |_| true).iter().map(|gadget| setting(gadget, &code, starts)).collect()
    }

    #[test]
    fn instructions_are_intended_with_their_prefixes() {
        let wrpkru = settings(&[0x90, 0x0f, 0x01, 0xef], &[0x1000]);
        assert_eq!(wrpkru, [Setting::Intended { start: 0x1001, length: 3 }]);
        let xrstor64 = settings(&[0x48, 0x0f, 0xae, 0x6c, 0x24, 0x40], &[0x1000]);
        assert_eq!(xrstor64, [Setting::Intended { start: 0x1000, length: 6 }]);
        let wrfsbase = settings(&[0xf3, 0x48, 0x0f, 0xae, 0xd0], &[0x1000]);
        assert_eq!(wrfsbase, [Setting::Intended { start: 0x1000, length: 5 }]);
    }

    #[test]
    fn numbers_and_neighbours_are_hidden() {
        // mov eax, 0x00ef010f
        assert_eq!(settings(&[0xb8, 0x0f, 0x01, 0xef, 0x00], &[0x1000]), [Setting::Hidden]);
        // mov al, 0x0f; add edi, ebp
        assert_eq!(settings(&[0xb0, 0x0f, 0x01, 0xef], &[0x1000]), [Setting::Hidden]);
        // mov bl, 0x0f; scasb; sub al, 0x25; add [rdx], eax
        let bytes = [0xb3, 0x0f, 0xae, 0x2c, 0x25, 0x01, 0x02, 0x03, 0x04];
        assert_eq!(settings(&bytes, &[0x1000]), [Setting::Hidden]);
    }

    #[test]
    fn without_a_start_nothing_is_known() {
        for starts in [&[][..], &[0x1001], &[0x900]] {
            assert_eq!(settings(&[0x0f, 0x01, 0xef], starts), [Setting::Unknown]);
        }
        // 0x06 is invalid in 64-bit code, so the instruction behind it may begin anywhere.
        assert_eq!(settings(&[0x06, 0x0f, 0x01, 0xef], &[0x1000]), [Setting::Unknown]);
    }
}
