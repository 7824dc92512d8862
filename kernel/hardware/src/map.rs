//! The memory map of the foreign libraries, for this crate and for build scripts, which link the
//! libraries to these ranges. A library that is linked elsewhere does not start.

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first address.
    pub(crate) start: u32,
    /// Its length in bytes.
    pub(crate) len: u32,
}

/// The end of the kernel's own memory (`memory.x`).
const FOREIGN: u32 = 0x8200_0000;
/// The end of the 128 MiB of RAM that QEMU is told to give the board.
const END: u32 = 0x8800_0000;

/// Hashes, encryption, key exchange and signatures.
pub(crate) const MONOCYPHER: Range = Range { start: FOREIGN, len: 256 << 10 };
/// Signatures over NIST's curves.
pub(crate) const MICRO_ECC: Range = after(MONOCYPHER, 128 << 10);
/// The file system.
pub(crate) const LITTLEFS: Range = after(MICRO_ECC, 256 << 10);
/// TCP/IP.
pub(crate) const LWIP: Range = after(LITTLEFS, 1 << 20);
/// Decompression.
pub(crate) const ZLIB: Range = after(LWIP, 512 << 10);

/// A library that another program than the kernel uses.
pub(crate) const SPARE: Range = after(ZLIB, 1 << 20);

/// Returns the range of `len` bytes directly after another, so that no two overlap.
const fn after(before: Range, len: u32) -> Range {
    Range { start: before.start + before.len, len }
}

const _: () = assert!(SPARE.start + SPARE.len <= END, "the board has not that much RAM");
