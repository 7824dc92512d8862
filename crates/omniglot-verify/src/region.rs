//! The layout of a region.

use core::ops::Range;

/// The size of a region, and the alignment of its base.
pub const REGION: u64 = 1 << 32;

/// The number of bytes at each end of a region that are never mapped, except for the page of
/// [`BASE`].
///
/// Regions may be adjacent: an address a little outside of one then lies in these pages of its
/// neighbour. The stack pointer leaves the region by 64 KiB at most, and an operand on the stack by
/// another 64 KiB ([`STACK_REACH`]). The rest of 256 KiB is a reserve.
pub const GUARD: u64 = 1 << 18;

/// The address of the 8 bytes that hold the region's base, in bytes from that base. Foreign code
/// cannot write them. They are in the last page of the lower guard, so that no stray access of a
/// neighbour (128 KiB at most) reads them.
pub const BASE: u32 = (GUARD - 4096) as u32;

/// The exclusive limit of a step of the stack pointer, and of the displacement of a stack operand.
pub const STACK_REACH: i32 = 1 << 16;

/// A stack operand, behind a step that no access has followed yet, and what a push moves further:
/// all lie in pages that are not mapped, here and in the neighbour.
const _: () = assert!(2 * STACK_REACH as u64 + LARGEST as u64 + 8 <= BASE as u64);
const _: () = assert!((BASE as u64) < GUARD && BASE.is_multiple_of(4096));
/// After an access to mapped memory less than 64 KiB from it, the stack pointer is in the region.
const _: () = assert!(STACK_REACH as u64 <= BASE as u64 && STACK_REACH as u64 <= GUARD);

/// The size of a line. Indirect branches lead to multiples of it, and nothing crosses one.
pub const LINE: u64 = 32;

/// The lowest address of text and gates.
pub const TEXT_MIN: u64 = GUARD;

/// The highest end of text and gates.
pub const TEXT_MAX: u64 = REGION - GUARD;

/// The size of the largest operand.
pub(crate) const LARGEST: i64 = 64;

/// The page size.
pub(crate) const PAGE: u64 = 4096;

/// Machine code, and its place in a region. Addresses are in bytes from the region's base.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// The code: whole pages. Nothing else in the region will be executable, except for the gates.
    pub bytes: &'a [u8],
    /// The start of the code: a multiple of the page size.
    pub at: u64,
    /// Pages of the host's own code in the region, through which foreign code leaves it. May be
    /// empty. Branches may lead to each of their lines, so each line must be safe to enter.
    pub gates: Range<u64>,
}

impl Text<'_> {
    /// Returns true if text and gates lie where they may.
    pub(crate) fn is_well_placed(&self) -> bool {
        let length = self.bytes.len() as u64;
        let is_placed = |start: u64, end: u64| {
            start.is_multiple_of(PAGE)
                && end.is_multiple_of(PAGE)
                && TEXT_MIN <= start
                && start < end
                && end <= TEXT_MAX
        };
        let Some(end) = self.at.checked_add(length) else { return false };
        let gates = &self.gates;
        let are_apart = gates.end <= self.at || end <= gates.start;
        let has_gates = !gates.is_empty();
        is_placed(self.at, end) && (!has_gates || is_placed(gates.start, gates.end) && are_apart)
    }
}
