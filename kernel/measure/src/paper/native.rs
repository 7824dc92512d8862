//! The libraries linked to this program.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_uint, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use omniglot::Result;
use omniglot_kernel::services::network::QEMU;

use super::{
    CHUNK, CHUNKS, CONTENTS, Counts, Disk, FLAGS, KEY, NAME, PACKETS, POOL, Packets, RAW, TAG,
    expect,
};
use crate::count::count;
use crate::files::native::{
    lfs_file_close, lfs_file_opencfg, lfs_file_read, lfs_file_rewind, lfs_file_write, lfs_format,
    lfs_mount,
};
use crate::network::{Buffer, HEADERS, OWN};

/// Room for one structure of a library, with its alignment: each has less than 512 bytes.
type Room = [u64; 64];
/// `struct lfs_config`: 21 words (lfs.h), of which the second to the fifth are functions.
type Config = [usize; 21];

// The declarations are those of paper.h, bearssl_hmac.h, pbuf.h and netif.h.
unsafe extern "C" {
    fn hmac_start(context: *mut Room, key: *const u8, len: usize);
    fn br_hmac_update(context: *mut Room, data: *const u8, len: usize);
    fn br_hmac_out(context: *const Room, tag: *mut u8) -> usize;
    fn ram_disk() -> *const Config;
    fn ram_file() -> usize;
    fn echo_start(
        transmit: unsafe extern "C" fn(*mut c_void, *const Buffer) -> i8,
        hardware: *const u8,
        address: u32,
        mask: u32,
        gateway: u32,
    ) -> i8;
    fn network_netif() -> *mut c_void;
    fn pbuf_alloc(layer: c_uint, len: u16, kind: c_uint) -> *mut Buffer;
    fn pbuf_take(buffer: *mut Buffer, data: *const u8, len: u16) -> i8;
    fn netif_input(buffer: *mut Buffer, card: *mut c_void) -> i8;
}

/// Measures all workloads.
pub(super) fn measure() -> Result<Counts> {
    // SAFETY: declared as in paper.h; it returns a constant address.
    let in_c = unsafe { ram_disk() };
    // SAFETY: as above, of a `struct lfs_config`.
    let mut in_rust = unsafe { *in_c };
    let functions = [
        read as *const () as usize,
        program as *const () as usize,
        erase as *const () as usize,
        synchronise as *const () as usize,
    ];
    for (place, function) in in_rust.iter_mut().skip(1).zip(functions) {
        *place = function;
    }
    Ok([
        count(authenticate)?,
        count(|| store(in_c))?,
        count(|| store(&raw const in_rust))?,
        echo()?,
    ])
}

fn authenticate() -> Result<()> {
    let (mut context, mut tag): (Room, _) = ([0; 64], [0; TAG.0.len()]);
    let context = &raw mut context;
    // SAFETY: declared as in paper.h; there is room for the context, and the key has that length.
    unsafe { hmac_start(context, KEY.0.as_ptr(), KEY.0.len()) };
    for _ in 0..CHUNKS {
        // SAFETY: declared as in bearssl_hmac.h; the context was started, the chunk has that
        // length.
        unsafe { br_hmac_update(context, CHUNK.0.as_ptr(), CHUNK.0.len()) };
    }
    // SAFETY: as above; a tag of SHA-256 has 32 bytes.
    unsafe { br_hmac_out(context, tag.as_mut_ptr()) };
    expect(tag == TAG.0)
}

fn store(config: *const Config) -> Result<()> {
    let (mut system, mut file): (Room, Room) = ([0; 64], [0; 64]);
    let mut back = [0; CONTENTS.0.len()];
    let system = (&raw mut system).expose_provenance();
    let file = (&raw mut file).expose_provenance();
    let (config, path) = (config.expose_provenance(), NAME.as_ptr().expose_provenance());
    let from = CONTENTS.0.as_ptr().expose_provenance();
    let (to, len) = (back.as_mut_ptr().expose_provenance(), CONTENTS.0.len());
    // SAFETY: declared as in lfs.h, here and below; there is room for the structures, and the
    // configuration is complete.
    let formatted = unsafe { lfs_format(system, config) };
    // SAFETY: as above.
    let mounted = unsafe { lfs_mount(system, config) };
    // SAFETY: declared as in paper.h; it returns a constant address.
    let settings = unsafe { ram_file() };
    // SAFETY: as above; the system is mounted, and the path ends with a NUL.
    let opened = unsafe { lfs_file_opencfg(system, file, path, FLAGS, settings) };
    expect((formatted, mounted, opened) == (0, 0, 0))?;
    // SAFETY: as above; the file is open, and there are as many bytes.
    let written = unsafe { lfs_file_write(system, file, from, len) };
    // SAFETY: as above.
    let rewound = unsafe { lfs_file_rewind(system, file) };
    // SAFETY: as above; there is room for as many bytes.
    let read = unsafe { lfs_file_read(system, file, to, len) };
    expect((written, rewound, read) == (len as c_int, 0, len as c_int) && back == CONTENTS.0)?;
    // SAFETY: as above.
    expect(unsafe { lfs_file_close(system, file) } == 0)
}

/// What the callbacks use.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: there is one hart, and each access ends before the next one begins.
unsafe impl<T> Sync for Shared<T> {}

static DISK: Shared<Disk> = Shared(UnsafeCell::new(Disk::new()));
/// The reply that lwIP must send, and how often it sent it.
static REPLY: Shared<[u8; HEADERS]> = Shared(UnsafeCell::new([0; HEADERS]));
static ANSWERED: AtomicUsize = AtomicUsize::new(0);

fn with_disk(work: impl FnOnce(&mut Disk) -> i32) -> i32 {
    // SAFETY: littlefs calls one function of its device at a time, and none calls littlefs.
    work(unsafe { &mut *DISK.0.get() })
}

unsafe extern "C" fn read(_: usize, block: u32, offset: u32, to: *mut u8, len: usize) -> c_int {
    // SAFETY: littlefs passes room for as many bytes as `len` says (lfs.h).
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
    with_disk(|disk| disk.read(block, offset, bytes))
}

unsafe extern "C" fn program(
    _: usize,
    block: u32,
    offset: u32,
    from: *const u8,
    len: usize,
) -> c_int {
    // SAFETY: littlefs passes as many bytes as `len` says (lfs.h).
    let bytes = unsafe { core::slice::from_raw_parts(from, len) };
    with_disk(|disk| disk.program(block, offset, bytes))
}

extern "C" fn erase(_: usize, block: u32) -> c_int {
    with_disk(|disk| disk.erase(block))
}

extern "C" fn synchronise(_: usize) -> c_int {
    0
}

fn echo() -> Result<u64> {
    let packets = Packets::new();
    let [own, mask, gateway] = [QEMU.own, QEMU.mask, QEMU.gateway].map(u32::from_ne_bytes);
    // SAFETY: lwIP does not run, so `transmit` does not use it.
    unsafe { *REPLY.0.get() = packets.reply };
    // SAFETY: declared as in paper.h; the address has six bytes, and the function lives as long as
    // the program.
    let started = unsafe { echo_start(transmit, OWN.as_ptr(), own, mask, gateway) };
    // SAFETY: declared as in network.h.
    let card = unsafe { network_netif() };
    expect(started == 0)?;
    receive(&packets.question, card)?;
    count(|| {
        ANSWERED.store(0, Ordering::Relaxed);
        for _ in 0..PACKETS {
            receive(&packets.request, card)?;
        }
        expect(ANSWERED.load(Ordering::Relaxed) == PACKETS)
    })
}

/// Passes a frame to lwIP.
#[inline(always)]
fn receive(frame: &[u8; HEADERS], card: *mut c_void) -> Result<()> {
    let len = HEADERS as u16;
    // SAFETY: declared as in pbuf.h.
    let buffer = unsafe { pbuf_alloc(RAW as c_uint, len, POOL as c_uint) };
    expect(!buffer.is_null())?;
    // SAFETY: declared as in pbuf.h; the buffer is new, and the frame has as many bytes.
    let taken = unsafe { pbuf_take(buffer, frame.as_ptr(), len) };
    // SAFETY: declared as in netif.h; the card was started, and takes the buffer.
    let received = unsafe { netif_input(buffer, card) };
    expect((taken, received) == (0, 0))
}

/// Counts the reply. lwIP has it in one buffer, which held the request.
unsafe extern "C" fn transmit(_: *mut c_void, buffer: *const Buffer) -> i8 {
    // SAFETY: lwIP passes a valid buffer.
    let buffer = unsafe { &*buffer };
    // SAFETY: the buffer has as many bytes as it says.
    let frame = unsafe { core::slice::from_raw_parts(buffer.payload, buffer.len.into()) };
    // SAFETY: nothing writes it while lwIP runs.
    let expected = unsafe { &*REPLY.0.get() };
    if frame == expected {
        ANSWERED.fetch_add(1, Ordering::Relaxed);
    }
    0
}
