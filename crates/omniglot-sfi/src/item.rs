//! The building blocks of rewritten code.

use crate::linked::Target;

/// A value that is known only once the layout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// An address.
    Address(Target),
    /// An address relative to the thread pointer.
    FromThread(Target),
    /// The address of a word that holds an address, and of one that holds an offset from the thread
    /// pointer.
    Slot(Target),
    ThreadSlot(Target),
}

/// A field in an item that is filled in later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// The offset of the field in the item.
    pub(crate) at: u8,
    /// The size in bytes: 4 or 8.
    pub(crate) size: u8,
    /// For a distance: the offset of the instruction's end in the item.
    pub(crate) end: Option<u8>,
    pub(crate) value: Value,
}

/// The effect of an item on the stack pointer, as the verifier sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Does not change it, and may not access memory relative to it.
    Unchanged,
    /// Always accesses memory close to it.
    Access,
    /// Moves it by a small constant.
    Step,
    /// Sets it, in a group.
    Set,
}

/// Placement constraints and length of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Within a line.
    Plain,
    /// At the end of a line: a call, so that it returns to the beginning of a line.
    EndsLine,
    /// A branch to an instruction of the section, given by index. A conditional branch has the low
    /// four bits of its opcode. The encoding is chosen when the distance is known.
    Branch(Option<u8>, usize),
}

/// The maximum length of an item.
const LINE: usize = omniglot_verify::LINE as usize;

/// An instruction, or a group of instructions, within one line.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    bytes: [u8; LINE],
    length: u8,
    pub(crate) shape: Shape,
    pub(crate) stack: Stack,
    /// True if control may leave it for anything but the next item.
    pub(crate) branches: bool,
    /// The index of the instruction that it was made from.
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

    /// Appends bytes. Drops them if they do not fit, which no group does.
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
