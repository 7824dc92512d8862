// Where foreign libraries are in the memory of this board. Included by the build scripts,
// which link the libraries to these places and have the linker check that nothing else is
// there, and by the board, which hands them out.

/// A range of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The first address.
    pub(crate) start: u32,
    /// How many bytes.
    pub(crate) len: u32,
}

/// All of it: behind what `board/layout.ld` gives to Tock.
pub(crate) const FOREIGN: Range = Range { start: 0x8060_0000, len: 2 << 20 };
/// Cryptography.
pub(crate) const MONOCYPHER: Range = Range { start: FOREIGN.start, len: 256 << 10 };
/// A file system.
pub(crate) const LITTLEFS: Range = Range { start: FOREIGN.start + (256 << 10), len: 256 << 10 };
