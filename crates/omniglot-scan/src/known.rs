//! Known gadgets of the C library and the dynamic linker, which every program contains.
//!
//! They are recognised by the surrounding instructions, since distributions strip the symbols, and
//! since their number and places differ between versions of the dynamic linker. A loader can
//! replace them by equivalents that check their effect. [`Setting::Intended`] gives the bytes to
//! replace.

use std::ops::RangeInclusive;

use iced_x86::{Code as Opcode, Decoder, DecoderOptions, Instruction, Mnemonic, Register};

use crate::find::{Code, Gadget};
use crate::kind::Kind;
use crate::setting::Setting;

/// PKRU's bit in `XCR0` and in the masks of `XRSTOR` (Intel SDM volume 1, chapter 13).
const KEYS: u64 = 1 << 9;

/// The possible lengths in bytes of the two instructions that set the mask, before `XRSTOR`.
const MASK_LENGTHS: RangeInclusive<u64> = 7..=10;

/// A known gadget, with what a replacement needs.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// `WRPKRU` in the C library's `pkey_set`, followed by `xor eax, eax; ret`.
    PkeySet,
    /// `XRSTOR` from the function's own stack frame, with a constant mask that excludes PKRU: `mov
    /// eax, MASK; xor edx, edx; xrstor [rsp + DISPLACEMENT]`. The dynamic linker restores registers
    /// this way after the first call of a function or the first use of a thread-local variable
    /// (`_dl_runtime_resolve_xsavec`, `_dl_tlsdesc_dynamic_xsavec`).
    Restoring {
        /// The registers that it restores. PKRU is not among them.
        mask: u32,
        /// The address of the saved registers, relative to the stack pointer.
        displacement: u32,
    },
}

impl Known {
    /// A short description.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PkeySet => "the C library's pkey_set",
            Self::Restoring { .. } => "the dynamic linker's restoring of registers",
        }
    }
}

/// Returns the known gadget that `gadget` is, if it is one. `symbol` is the name of the function
/// that contains it, if known. A `pkey_set` in another library counts only if the function has that
/// name.
///
/// If the setting is [`Setting::Unknown`], as in memory without a file, the surrounding
/// instructions alone decide. A sequence of several is unlikely to occur by accident.
#[must_use]
pub fn known(
    gadget: &Gadget,
    setting: Setting,
    code: &[Code<'_>],
    symbol: Option<&str>,
) -> Option<Known> {
    let start = match setting {
        Setting::Intended { start, .. } => start,
        Setting::Hidden => return None,
        Setting::Unknown => gadget.address,
    };
    match gadget.kind {
        Kind::Wrpkru => pkey_set(start, code, symbol),
        Kind::Xrstor => restoring(start, code),
        _ => None,
    }
}

fn pkey_set(start: u64, code: &[Code<'_>], symbol: Option<&str>) -> Option<Known> {
    if symbol.is_some_and(|name| name != "pkey_set") {
        return None;
    }
    let [wrpkru, clear, ret] = instructions(start, code)?;
    let is_clear = clear.mnemonic() == Mnemonic::Xor
        && clear.op0_register() == Register::EAX
        && clear.op1_register() == Register::EAX;
    let fits = wrpkru.mnemonic() == Mnemonic::Wrpkru && is_clear && ret.mnemonic() == Mnemonic::Ret;
    fits.then_some(Known::PkeySet)
}

fn restoring(start: u64, code: &[Code<'_>]) -> Option<Known> {
    let [restore] = instructions(start, code)?;
    let is_own_frame =
        restore.memory_base() == Register::RSP && restore.memory_index() == Register::None;
    let is_whole = matches!(restore.mnemonic(), Mnemonic::Xrstor | Mnemonic::Xrstor64);
    let displacement = u32::try_from(restore.memory_displacement64()).ok()?;
    let mask = MASK_LENGTHS.filter_map(|length| mask_before(start, length, code)).next()?;
    let fits = is_whole && is_own_frame && u64::from(mask) & KEYS == 0;
    fits.then_some(Known::Restoring { mask, displacement })
}

/// The value of `eax` after the two instructions of this total length that end at `start`. Returns
/// `None` unless they set `edx` to 0.
fn mask_before(start: u64, length: u64, code: &[Code<'_>]) -> Option<u32> {
    let [first, second] = instructions(start.checked_sub(length)?, code)?;
    let is_clear = |it: &Instruction| {
        it.op0_register() == Register::EDX
            && match it.mnemonic() {
                Mnemonic::Xor | Mnemonic::Sub => it.op1_register() == Register::EDX,
                _ => it.code() == Opcode::Mov_r32_imm32 && it.immediate32() == 0,
            }
    };
    let constant = |it: &Instruction| {
        let sets = it.code() == Opcode::Mov_r32_imm32 && it.op0_register() == Register::EAX;
        sets.then(|| it.immediate32())
    };
    let mask = match (is_clear(&first), is_clear(&second)) {
        (false, true) => constant(&first),
        (true, false) => constant(&second),
        _ => None,
    };
    mask.filter(|_| second.next_ip() == start)
}

/// Decodes `COUNT` instructions from `start` on.
fn instructions<const COUNT: usize>(start: u64, code: &[Code<'_>]) -> Option<[Instruction; COUNT]> {
    let bytes = code.iter().find_map(|range| range.from(start))?;
    let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
    let decoded = [(); COUNT].map(|()| decoder.decode());
    let valid = decoded.iter().all(|instruction| !instruction.is_invalid());
    valid.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::{Known, known};
    use crate::find::Code;
    use crate::kind::Kind;
    use crate::{find, setting};

    /// Classifies the only gadget in these bytes.
    fn judged(bytes: &[u8], symbol: Option<&str>) -> Option<Known> {
        let code = [Code { address: 0x1000, bytes }];
        let gadgets = find(&code, Kind::changes_keys);
        assert_eq!(gadgets.len(), 1);
        known(&gadgets[0], setting(&gadgets[0], &code, &[0x1000]), &code, symbol)
    }

    /// `mov eax, mask; xor edx, edx; xrstor [rsp+0x40]; mov r9, [rsp+0x30]`.
    fn restoring(mask: [u8; 4]) -> Vec<u8> {
        let rest = [0x31, 0xd2, 0x0f, 0xae, 0x6c, 0x24, 0x40, 0x4c, 0x8b, 0x4c, 0x24, 0x30];
        [&[0xb8][..], &mask, &rest].concat()
    }

    #[test]
    fn the_two_kinds_are_known() {
        let wrpkru = [0x0f, 0x01, 0xef, 0x31, 0xc0, 0xc3];
        assert_eq!(judged(&wrpkru, Some("pkey_set")), Some(Known::PkeySet));
        let expected = Some(Known::Restoring { mask: 0xee, displacement: 0x40 });
        assert_eq!(judged(&restoring([0xee, 0, 0, 0]), None), expected);
        let name = Some("_dl_runtime_resolve_xsavec");
        assert_eq!(judged(&restoring([0xee, 0, 0, 0]), name), expected);
    }

    #[test]
    fn restoring_is_known_by_what_it_does() {
        let expected = |mask| Some(Known::Restoring { mask, displacement: 0x40 });
        // As in `_dl_tlsdesc_dynamic_xsavec` of glibc 2.41, where `mov rax, rcx` comes next.
        let mut other = restoring([0xef, 0, 0x0e, 0]);
        other.splice(12.., [0x48, 0x89, 0xc8]);
        assert_eq!(judged(&other, None), expected(0xe_00ef));
        // `xor edx, edx; mov eax, 0xee`, and with `mov edx, 0` instead.
        let end = [0x0f, 0xae, 0x6c, 0x24, 0x40];
        let swapped = [&[0x31, 0xd2, 0xb8, 0xee, 0, 0, 0][..], &end].concat();
        assert_eq!(judged(&swapped, None), expected(0xee));
        let moved = [&[0xb8, 0xee, 0, 0, 0, 0xba, 0, 0, 0, 0][..], &end].concat();
        assert_eq!(judged(&moved, None), expected(0xee));
        let (mut high, mut late) = (moved.clone(), moved.clone());
        high[6] = 1; // mov edx, 1
        assert_eq!(judged(&high, None), None);
        late.insert(10, 0x90); // something in between
        assert_eq!(judged(&late, None), None);
    }

    #[test]
    fn similar_ones_are_not() {
        assert_eq!(judged(&[0x0f, 0x01, 0xef, 0x90, 0x90, 0xc3], Some("pkey_set")), None);
        assert_eq!(judged(&[0x0f, 0x01, 0xef, 0x31, 0xc0, 0xc3], Some("mine")), None);
        // A mask that includes PKRU.
        assert_eq!(judged(&restoring([0xee, 2, 0, 0]), None), None);
        // The saved registers are addressed through a register other than RSP.
        let mut other = restoring([0xee, 0, 0, 0]);
        other.splice(7..12, [0x0f, 0xae, 0x6b, 0x40]);
        assert_eq!(judged(&other, None), None);
    }

    #[test]
    fn where_functions_begin_need_not_be_known() {
        let bytes = restoring([0xee, 0, 0, 0]);
        let code = [Code { address: 0x1000, bytes: &bytes }];
        let gadget = find(&code, Kind::changes_keys)[0];
        let expected = Some(Known::Restoring { mask: 0xee, displacement: 0x40 });
        assert_eq!(known(&gadget, setting(&gadget, &code, &[]), &code, None), expected);
    }

    #[test]
    fn what_is_hidden_is_never_known() {
        let mut hidden = vec![0xb0]; // mov al, 0x0f; add edi, ebp
        hidden.extend([0x0f, 0x01, 0xef, 0x31, 0xc0, 0xc3]);
        assert_eq!(judged(&hidden, Some("pkey_set")), None);
    }
}
