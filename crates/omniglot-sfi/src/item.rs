//! What a rewritten instruction consists of.

use crate::linked::Target;

/// A number that is known once all places are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// An address.
    Address(Target),
    /// An address as seen from the thread pointer.
    FromThread(Target),
    /// A word of memory that holds an address; and one that holds a distance from the thread
    /// pointer.
    Slot(Target),
    ThreadSlot(Target),
}

/// Where in an item a number is to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// Where in the item the field is.
    pub(crate) at: u8,
    /// 4 or 8 bytes.
    pub(crate) size: u8,
    /// For a distance: where in the item the instruction ends.
    pub(crate) end: Option<u8>,
    pub(crate) value: Value,
}

/// What an item means for the stack pointer, as the verifier sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Leaves it alone, and may access no memory at it.
    Unchanged,
    /// Surely accesses memory close to it.
    Access,
    /// Moves it by a small constant.
    Step,
    /// Sets it, as a group.
    Set,
}

/// Where an item may lie, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Within a line.
    Plain,
    /// At a line's end: calls, so that they return to a line.
    EndsLine,
    /// A branch within the section, to an instruction by its number; if it depends, the low four
    /// bits of its opcode. Its bytes are chosen when it is known how far it leads.
    Branch(Option<u8>, usize),
}

/// The longest item is a line.
const LINE: usize = omniglot_verify::LINE as usize;

/// An instruction, or a group of them, that lies within one line.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    bytes: [u8; LINE],
    length: u8,
    pub(crate) shape: Shape,
    pub(crate) stack: Stack,
    /// Whether control may leave it for elsewhere than the next.
    pub(crate) branches: bool,
    /// The instruction that it was made of, by its number in the section.
    pub(crate) source: usize,
    pub(crate) fixes: [Option<Fix>; 2],
}

impl Item {
    pub(crate) const fn new(source: usize) -> Self {
        Self {
            bytes: [0; LINE],
            length: 0,
            shape: Shape::Plain,
            stack: Stack::Unchanged,
            branches: false,
            source,
            fixes: [None; 2],
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Adds bytes; none where they have no room, which no group needs.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        if let Some(room) = self.bytes.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length = (start + bytes.len()) as u8;
        }
    }

    pub(crate) fn fix(&mut self, fix: Fix) {
        if let Some(place) = self.fixes.iter_mut().find(|place| place.is_none()) {
            *place = Some(fix);
        }
    }
}
