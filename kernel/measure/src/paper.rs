//! The work by which Omniglot's paper measured libraries under PMP (Schuermann et al., "Building
//! Bridges: Safe Interactions with Foreign Languages through Omniglot", OSDI 2025): HMAC-SHA256,
//! littlefs and lwIP, in the same amounts. Another library computes the HMAC here, and lwIP has IPv4
//! only. littlefs has its device in C, as there, and then in Rust. The variant with isolation only is
//! written by hand, as in the rest of this program, and not Omniglot without its checks.
//!
//! Every variant checks what comes out, and none limits the time of calls.

mod isolation;
mod native;
mod omniglot_calls;

use core::ffi::CStr;
use core::fmt::Write;

use omniglot::{Error, Result};
use omniglot_kernel::domain::Runtime;
use omniglot_kernel::services::network::QEMU;
use omniglot_kernel_hardware::{Hart, Uart};
use omniglot_pmp::ForeignRegion;

use crate::count::Message;
use crate::network::{HEADERS, OWN, PEER, joined, set_checksum};
use crate::percent;

/// The libraries' bindings.
#[allow(missing_docs)]
pub(crate) mod foreign {
    omniglot::include_library!("paper");
}

type Library = foreign::Paper<Runtime>;

/// The workloads.
const WORKLOADS: [&str; 4] = [
    "BearSSL: HMAC-SHA256 of 8 x 512 bytes",
    "littlefs: a file of 1 KiB, device in C",
    "littlefs: a file of 1 KiB, device in Rust",
    "lwIP: 100 ICMP echoes of 42 bytes",
];
/// One count for each of them.
type Counts = [u64; WORKLOADS.len()];

/// Measures all variants, and prints a table.
pub(crate) fn measure(uart: &mut Uart, hart: Hart, region: ForeignRegion) -> Result<()> {
    let native = native::measure()?;
    let (isolation, region) = isolation::measure(hart, region)?;
    let omniglot = omniglot_calls::measure(hart, region)?;
    let _ = writeln!(
        uart,
        "\n| the paper's work | native | isolation | Omniglot | isolation over native | Omniglot \
         over isolation |\n|---|---:|---:|---:|---:|---:|"
    );
    let counts = native.into_iter().zip(isolation).zip(omniglot);
    for (name, ((native, isolation), omniglot)) in WORKLOADS.into_iter().zip(counts) {
        let _ = write!(uart, "| {name} | {native} | {isolation} | {omniglot} | ");
        percent(uart, native, isolation);
        let _ = write!(uart, " | ");
        percent(uart, isolation, omniglot);
        let _ = writeln!(uart, " |");
    }
    Ok(())
}

/// Returns an error if a result is not what it must be.
fn expect(is_right: bool) -> Result<()> {
    if is_right { Ok(()) } else { Err(Error::Misuse("the libraries give the right results")) }
}

/// The key, and what is hashed [`CHUNKS`] times.
static KEY: Message<32> = Message([0; 32]);
static CHUNK: Message<512> = Message([42; 512]);
const CHUNKS: usize = 8;
/// The tag, from another implementation: Python's `hmac.new(bytes(32), bytes([42]) * 4096,
/// "sha256")`.
static TAG: Message<32> = Message([
    0xcd, 0xe1, 0xe2, 0x72, 0xa2, 0xac, 0x85, 0xac, 0x02, 0x6f, 0xb1, 0xf8, 0xef, 0x99, 0x4c, 0x1b,
    0x1f, 0xc1, 0x65, 0xf9, 0x6b, 0x81, 0x5c, 0xe8, 0x23, 0xc7, 0x8a, 0xd9, 0x60, 0xde, 0xdc, 0xa4,
]);

/// What is written to a file and read back, and the file's name.
static CONTENTS: Message<1024> = Message([0x5a; 1024]);
const NAME: &CStr = c"file";
/// How the file is opened: for reading and writing, created if it does not exist (lfs.h, `enum
/// lfs_open_flags`).
const FLAGS: usize = 3 | 0x100;

/// A block device in the kernel's memory. The device in C is the same (`paper.c`).
struct Disk {
    blocks: [[u8; 512]; 16],
}

impl Disk {
    const fn new() -> Self {
        Self { blocks: [[0; 512]; 16] }
    }

    fn place(&mut self, block: u32, offset: u32, len: usize) -> Option<&mut [u8]> {
        let start = offset as usize;
        self.blocks.get_mut(block as usize)?.get_mut(start..start.checked_add(len)?)
    }

    fn read(&mut self, block: u32, offset: u32, into: &mut [u8]) -> i32 {
        let place = self.place(block, offset, into.len());
        place.map_or(FAILED, |bytes| {
            into.copy_from_slice(bytes);
            0
        })
    }

    fn program(&mut self, block: u32, offset: u32, from: &[u8]) -> i32 {
        let place = self.place(block, offset, from.len());
        place.map_or(FAILED, |bytes| {
            bytes.copy_from_slice(from);
            0
        })
    }

    fn erase(&mut self, block: u32) -> i32 {
        let block = self.blocks.get_mut(block as usize);
        block.map_or(FAILED, |bytes| {
            bytes.fill(0xff);
            0
        })
    }
}

/// littlefs's error number for a device that fails (lfs.h, `enum lfs_error`).
const FAILED: i32 = -5;

/// How many packets are measured together.
const PACKETS: usize = 100;
/// The type of the buffers that are allocated: `PBUF_RAW`, `PBUF_POOL` (pbuf.h).
const RAW: usize = 0;
const POOL: usize = 0x0182;

/// The packets that are exchanged.
struct Packets {
    /// Asks for lwIP's Ethernet address, and tells the peer's.
    question: [u8; HEADERS],
    request: [u8; HEADERS],
    reply: [u8; HEADERS],
}

impl Packets {
    fn new() -> Self {
        Self {
            question: crate::network::question(),
            request: echo([OWN, PEER], [QEMU.gateway, QEMU.own], 64, 8),
            reply: echo([PEER, OWN], [QEMU.own, QEMU.gateway], 255, 0),
        }
    }
}

/// Returns an ICMP echo without data (RFC 791, RFC 792). A request has the type 8, a reply 0.
fn echo(to_from: [[u8; 6]; 2], from_to: [[u8; 4]; 2], life: u8, kind: u8) -> [u8; HEADERS] {
    let ([to, from], [source, target]) = (to_from, from_to);
    let start: &[u8] = &[0x45, 0, 0, 28, 0, 7, 0, 0, life, 1, 0, 0];
    let mut header: [u8; 20] = joined(&[start, &source, &target]);
    set_checksum(&mut header, 10);
    let mut message: [u8; 8] = [kind, 0, 0, 0, 0x12, 0x34, 0, 9];
    set_checksum(&mut message, 2);
    joined(&[&to, &from, &[8, 0], &header, &message])
}
