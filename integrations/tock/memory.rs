// The memory map of the foreign libraries on this board. The build scripts include this file; they
// link the libraries to these ranges, and make the linker check that nothing else is there. The
// board includes it to make the regions.

/// A range of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The first address.
    pub(crate) start: u32,
    /// Its length in bytes.
    pub(crate) len: u32,
}

/// All of it: after the memory that `board/layout.ld` gives to Tock.
pub(crate) const FOREIGN: Range = Range { start: 0x8060_0000, len: 2 << 20 };
/// Cryptography.
pub(crate) const MONOCYPHER: Range = Range { start: FOREIGN.start, len: 256 << 10 };
/// A file system.
pub(crate) const LITTLEFS: Range = Range { start: FOREIGN.start + (256 << 10), len: 256 << 10 };
