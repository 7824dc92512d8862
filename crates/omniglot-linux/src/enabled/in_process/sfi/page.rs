//! The page of gates: the only code in a region that is not the image's.
//!
//! Foreign code can enter at the beginning of any line, with any registers but those of V1 to V4
//! (`omniglot-verify`), so each line does only what verified code may do, or jumps to the host's
//! gate, which does nothing with the stack pointer but remember it (H4). Lines that mean nothing
//! are `hlt`, which is a fault.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use omniglot_core::Result;
use omniglot_verify::layout::{
    GATE_ABORT, GATE_CALL, GATE_ENTER, GATE_RETURN, GATE_SYSTEM_CALL, GATES,
};
use omniglot_verify::{BASE, LINE};

use crate::enabled::images::{executable_memory, seal};
use crate::enabled::in_process::places;
use crate::enabled::layout::PAGE;
use crate::enabled::system::failed;

/// The slot of a callback that is a request for what a system call does: its arguments are the
/// [`ServerRequest`](super::request::ServerRequest) on the stack.
pub(super) const SYSTEM_CALL: u32 = u32::MAX;
/// The slot of one that ends the call.
pub(super) const ABORT: u32 = u32::MAX - 1;

/// Where a request's registers go to the stack, and where they come back.
const REQUEST: u64 = GATES.start + 6 * LINE;
const ANSWERED: u64 = REQUEST + LINE;
/// Where a request leaves for the host.
const ASK: u64 = GATES.start + 8 * LINE;
/// Where foreign code goes on that waits behind a callback: at the return address on its stack.
pub(super) const GO_ON: u64 = GATES.start + 9 * LINE;

/// What [`GATE_ENTER`] ends with, at its line's end, so that it returns to the next one:
/// `andl $-32, %eax; addq %gs:BASE, %rax; call *%rax`.
const CALL_MASKED: [u8; 14] =
    [0x83, 0xe0, 0xe0, 0x65, 0x48, 0x03, 0x04, 0x25, AT[0], AT[1], AT[2], AT[3], 0xff, 0xd0];
/// The host's way in.
pub(super) const ENTER: u64 = GATE_RETURN - CALL_MASKED.len() as u64;

const AT: [u8; 4] = BASE.to_le_bytes();

/// `popq %r11; andl $-32, %r11d; addq %gs:BASE, %r11; jmp *%r11`.
const RETURN: [u8; 18] = [
    0x41, 0x5b, 0x41, 0x83, 0xe3, 0xe0, 0x65, 0x4c, 0x03, 0x1c, 0x25, AT[0], AT[1], AT[2], AT[3],
    0x41, 0xff, 0xe3,
];

/// `push` of R9, R8, R10, RDX, RSI, RDI and RAX; `movl %esp, %esi`.
const SAVE: [u8; 12] = [0x41, 0x51, 0x41, 0x50, 0x41, 0x52, 0x52, 0x56, 0x57, 0x50, 0x89, 0xe6];
/// `pop` of the same.
const RESTORE: [u8; 10] = [0x58, 0x5f, 0x5e, 0x5a, 0x41, 0x5a, 0x41, 0x58, 0x41, 0x59];

const NOP: u8 = 0x90;
const HLT: u8 = 0xf4;

const _: () = assert!(GATE_ENTER + LINE == GATE_RETURN && GATES.end - GATES.start == PAGE as u64);

/// Code at places of the page.
struct Page([u8; PAGE]);

impl Page {
    fn put(&mut self, at: u64, code: &[u8]) {
        let offset = (at - GATES.start) as usize;
        if let Some(room) = self.0.get_mut(offset..offset + code.len()) {
            room.copy_from_slice(code);
        }
    }

    /// `movabs $to, %r11; jmp *%r11`.
    fn leave(&mut self, at: u64, to: usize) {
        let [a, b, c, d, e, f, g, h] = to.to_le_bytes();
        self.put(at, &[0x49, 0xbb, a, b, c, d, e, f, g, h, 0x41, 0xff, 0xe3]);
    }

    /// `jmp` or `call`, by its opcode, to another line.
    fn branch(&mut self, at: u64, opcode: u8, to: u64) {
        let distance = (to as i64 - (at as i64 + 5)) as i32;
        let [a, b, c, d] = distance.to_le_bytes();
        self.put(at, &[opcode, a, b, c, d]);
    }

    /// `movl $slot, %edi`.
    fn set_slot(&mut self, at: u64, slot: u32) {
        let [a, b, c, d] = slot.to_le_bytes();
        self.put(at, &[0xbf, a, b, c, d]);
    }
}

/// The page, for gates at these addresses of the host's.
fn code([returned, called_back, asked]: [usize; 3]) -> [u8; PAGE] {
    const JMP: u8 = 0xe9;
    const CALL: u8 = 0xe8;
    let mut page = Page([HLT; PAGE]);
    page.leave(GATE_CALL, called_back);
    page.branch(GATE_SYSTEM_CALL, JMP, REQUEST);
    page.set_slot(GATE_ABORT, ABORT);
    page.branch(GATE_ABORT + 5, JMP, GATE_CALL);
    page.put(GATE_ENTER, &[NOP; LINE as usize]);
    page.put(ENTER, &CALL_MASKED);
    page.leave(GATE_RETURN, returned);
    page.put(REQUEST, &[NOP; LINE as usize]);
    page.put(REQUEST, &SAVE);
    page.set_slot(REQUEST + SAVE.len() as u64, SYSTEM_CALL);
    page.branch(ANSWERED - 5, CALL, ASK);
    page.put(ANSWERED, &RESTORE);
    page.put(ANSWERED + RESTORE.len() as u64, &RETURN);
    page.leave(ASK, asked);
    page.put(GO_ON, &RETURN);
    page.0
}

/// The page of this process, as a sealed file.
pub(super) fn gates() -> Result<&'static OwnedFd> {
    static GATES: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(gates) = GATES.get() {
        return Ok(gates);
    }
    let mut file = File::from(executable_memory(c"omniglot-gates")?);
    file.write_all(&code(places::sfi_exits())).map_err(failed("writing a file in memory"))?;
    let fresh = seal(file)?;
    Ok(GATES.get_or_init(|| fresh))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use omniglot_verify::{Text, verify};

    use super::*;

    /// The verifier accepts the page where jumps to the host are jumps to other gates: so all else
    /// in it is what verified code may do, and its lines are whole.
    #[test]
    fn all_but_the_ways_to_the_host_is_verified_code() {
        let page = code([0x1111_1111_1111; 3]);
        let mut text = page.to_vec();
        let leave: Vec<_> = [0x49, 0xbb]
            .into_iter()
            .chain(0x1111_1111_1111u64.to_le_bytes())
            .chain([0x41, 0xff, 0xe3])
            .collect();
        let ways: Vec<_> =
            (0..PAGE).filter(|at| page.get(*at..*at + leave.len()) == Some(&leave)).collect();
        let expected = [GATE_CALL, GATE_RETURN, ASK].map(|at| (at - GATES.start) as usize);
        assert_eq!(ways, expected);
        for at in ways {
            text[at..at + leave.len()].fill(HLT);
        }
        verify(&Text { bytes: &text, at: GATES.start, gates: 0..0 }).expect("verified code");
    }
}
