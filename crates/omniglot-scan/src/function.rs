//! Finds the boundaries of functions and of their instructions.

use std::ops::Range;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, LittleEndian, Pointer, UnwindSection};
use iced_x86::{Decoder, DecoderOptions, Instruction};

use crate::find::Code;

/// Finds the function that contains `address` in the unwind tables of a loaded image.
///
/// `segment` is the memory that contains the tables, and `header` is the address of `.eh_frame_hdr`
/// in it (Linux Standard Base). Both come from the program headers. Returns `None` if the tables do
/// not cover `address`.
///
/// ```
/// use omniglot_scan::{Code, function};
/// let empty = Code { address: 0x1000, bytes: &[] };
/// assert_eq!(function(&empty, 0x1000, 0x2000), None);
/// ```
#[must_use]
pub fn function(segment: &Code<'_>, header: u64, address: u64) -> Option<Range<u64>> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(header);
    let parsed = EhFrameHdr::new(segment.from(header)?, LittleEndian).parse(&bases, 8).ok()?;
    let Pointer::Direct(frames) = parsed.eh_frame_ptr() else {
        return None;
    };
    let bases = bases.set_eh_frame(frames);
    let frames = EhFrame::new(segment.from(frames)?, LittleEndian);
    let entry =
        parsed.table()?.fde_for_address(&frames, &bases, address, EhFrame::cie_from_offset).ok()?;
    let range = entry.initial_address()..entry.initial_address().checked_add(entry.len())?;
    range.contains(&address).then_some(range)
}

/// Decodes all instructions of a function. Returns `None` if their boundaries are not certain.
///
/// Decoding from the first byte must end at the last, without an invalid instruction. Every jump
/// within the function must lead to the beginning of a decoded instruction. So a constant among the
/// instructions, which would shift the boundaries behind it, is noticed.
pub(crate) fn instructions(function: &Code<'_>) -> Option<Vec<Instruction>> {
    let decoder = Decoder::with_ip(64, function.bytes, function.address, DecoderOptions::NONE);
    let instructions: Vec<_> = decoder.into_iter().collect();
    let ends = instructions.last()?.next_ip() == function.end();
    let valid = instructions.iter().all(|instruction| !instruction.is_invalid());
    let inside = function.address..function.end();
    let agrees = |target: u64| {
        !inside.contains(&target)
            || instructions.binary_search_by_key(&target, Instruction::ip).is_ok()
    };
    // The target is 0 for anything but a near branch.
    let all_agree = instructions.iter().all(|instruction| agrees(instruction.near_branch_target()));
    (ends && valid && all_agree).then_some(instructions)
}
