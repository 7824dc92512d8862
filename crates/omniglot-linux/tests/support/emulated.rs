//! What the processor that QEMU emulates does otherwise than processors do.

use std::collections::BTreeSet;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

/// How far to look: more than any path through the gate has.
const MOST: usize = 400;
/// The longest instruction.
pub(crate) const LONGEST: usize = 15;

/// Whether code that begins there comes to a far return or a far call, directly or by jumps.
///
/// QEMU (7.2 at least) has `iret`, far `ret` and far `call` of a program access the program's
/// stack as if they were the kernel's own (`helper_ret_protected` and `helper_lcall_protected`
/// of its target/i386/tcg/seg_helper.c). With supervisor-mode access prevention that is a page
/// fault of the kernel's, which Linux answers with a panic: of the machine, not of what is
/// tested in it. Processors do as the program may.
///
/// `fetch` reads code; it returns `None` where there is none to read.
pub(crate) fn crashes_the_emulators_kernel(
    start: u64,
    fetch: impl Fn(u64) -> Option<[u8; LONGEST]>,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut ahead = vec![start];
    while let Some(place) = ahead.pop() {
        if seen.len() == MOST || !seen.insert(place) {
            continue;
        }
        let Some(bytes) = fetch(place) else { continue };
        let instruction = Decoder::with_ip(64, &bytes, place, DecoderOptions::NONE).decode();
        if is_far(&instruction) {
            return true;
        }
        ahead.extend(followers(&instruction));
    }
    false
}

fn is_far(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd)
        || matches!(instruction.mnemonic(), Mnemonic::Iretq)
        || instruction.is_call_far_indirect()
}

/// What the processor may run next, as far as the instruction tells.
fn followers(instruction: &Instruction) -> Vec<u64> {
    let (next, target) = (instruction.next_ip(), instruction.near_branch_target());
    if instruction.code() == Code::INVALID {
        return Vec::new();
    }
    match instruction.flow_control() {
        FlowControl::Next => vec![next],
        FlowControl::ConditionalBranch => vec![next, target],
        FlowControl::UnconditionalBranch | FlowControl::Call => vec![target],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, crashes_the_emulators_kernel};

    fn crashes(code: &[u8]) -> bool {
        crashes_the_emulators_kernel(0, |place| {
            let mut bytes = [0xcc; LONGEST];
            let rest = code.get(place as usize..)?;
            for (byte, code) in bytes.iter_mut().zip(rest) {
                *byte = *code;
            }
            Some(bytes)
        })
    }

    #[test]
    fn far_returns_and_calls_are_found_behind_jumps() {
        for code in [&[0xcf][..], &[0x48, 0xcf], &[0xca, 8, 0], &[0x90, 0xcb], &[0xff, 0x18]] {
            assert!(crashes(code), "{code:x?}");
        }
        assert!(crashes(&[0xeb, 1, 0xcc, 0xcf]), "a jump to one");
        assert!(crashes(&[0x75, 1, 0xc3, 0xcb]), "a jump that may be taken");
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for code in [&[0xc3, 0xcf][..], &[0x0f, 0x0b, 0xcb], &[0xb0, 0xcf, 0xc3], &[0xff, 0xe0]] {
            assert!(!crashes(code), "{code:x?}");
        }
        assert!(!crashes(&[0xeb, 0xfe]), "a loop ends");
    }
}
