//! Where things lie in a region.

use core::ops::Range;

/// A region's size, and what its base is a multiple of.
pub const REGION: u64 = 1 << 32;

/// What is never mapped at either end of a region, but for the page of [`BASE`].
///
/// Regions may lie side by side: what is a bit outside of one is then in these pages of its
/// neighbour. The stack pointer strays 64 KiB at most, and an operand on the stack 64 KiB from
/// there ([`STACK_REACH`]); the rest of 256 KiB is to spare.
pub const GUARD: u64 = 1 << 18;

/// Where the region's base lies in memory, in bytes from that base: 8 bytes that foreign code
/// cannot write. The last page of the lower guard, so that no stray access of a neighbour (128 KiB
/// at most) reads it.
pub const BASE: u32 = (GUARD - 4096) as u32;

/// Steps of the stack pointer, and operands' distances from it, are less.
pub const STACK_REACH: i32 = 1 << 16;

/// An operand on the stack, behind a step that is not yet followed by an access, and what a push
/// moves further: all in pages that are not mapped, on this side and in the neighbour.
const _: () = assert!(2 * STACK_REACH as u64 + LARGEST as u64 + 8 <= BASE as u64);
const _: () = assert!((BASE as u64) < GUARD && BASE.is_multiple_of(4096));
/// After an access less than 64 KiB from it, in mapped pages, the stack pointer is in the region.
const _: () = assert!(STACK_REACH as u64 <= BASE as u64 && STACK_REACH as u64 <= GUARD);

/// Indirect branches lead to multiples of this, and nothing lies across one.
pub const LINE: u64 = 32;

/// Where text and gates begin at the least.
pub const TEXT_MIN: u64 = GUARD;

/// Where text and gates end at the most.
pub const TEXT_MAX: u64 = REGION - GUARD;

/// No operand is larger than this.
pub(crate) const LARGEST: i64 = 64;

/// Page size.
pub(crate) const PAGE: u64 = 4096;

/// Machine code, and where it will lie. Places are in bytes from the region's base.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// The code: whole pages, all that will be executable in the region but for the gates.
    pub bytes: &'a [u8],
    /// Where it begins: a multiple of the page size.
    pub at: u64,
    /// Pages of the host's own code in the region, through which foreign code leaves it. Branches
    /// may lead to each of their lines, so each must be safe to enter; may be empty.
    pub gates: Range<u64>,
}

impl Text<'_> {
    /// Whether all lies where it may.
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
