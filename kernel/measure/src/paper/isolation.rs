//! The libraries behind their protection. Nothing is checked, not even addresses that foreign code
//! passes: the paper's variant of this name does not check them either. That is sound only because
//! the libraries are what they are; the SAFETY comments say what they are trusted with.
#![allow(unsafe_code)]

use omniglot::{Error, Result, Runtime as _, Signature};
use omniglot_kernel::services::network::QEMU;
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use super::foreign::{
    lfs_config_erase_fn, lfs_config_prog_fn, lfs_config_read_fn, lfs_config_sync_fn,
    netif_linkoutput_fn,
};
use super::{
    CHUNK, CHUNKS, CONTENTS, Counts, Disk, FLAGS, KEY, Library, NAME, PACKETS, POOL, Packets, RAW,
    TAG, expect,
};
use crate::count::count;
use crate::isolation::{ARGUMENTS, Calls};
use crate::network::{HEADERS, OWN};

/// Offsets of data. Structures have more room than their headers give them.
mod place {
    pub(super) const CONTEXT: usize = 0;
    pub(super) const KEY: usize = 512;
    pub(super) const TAG: usize = 544;
    pub(super) const CHUNK: usize = 576;

    pub(super) const SYSTEM: usize = 0;
    pub(super) const FILE: usize = 256;
    pub(super) const CONFIG: usize = 512;
    pub(super) const PATH: usize = 640;
    pub(super) const DATA: usize = 704;
    pub(super) const BACK: usize = DATA + super::CONTENTS.0.len();
}

/// Measures all workloads, and returns the memory.
pub(super) fn measure(hart: Hart, region: ForeignRegion) -> Result<(Counts, ForeignRegion)> {
    let mut calls = Calls::start::<Library>(hart, region)?;
    let authenticated = authenticate(&mut calls)?;
    let [in_c, in_rust] = store(&mut calls)?;
    let echoed = echo(&mut calls)?;
    Ok(([authenticated, in_c, in_rust, echoed], calls.runtime.into_runtime().into_region()))
}

#[inline(never)]
fn authenticate(calls: &mut Calls) -> Result<u64> {
    let start = calls.function("hmac_start")?;
    let (update, out) = (calls.function("br_hmac_update")?, calls.function("br_hmac_out")?);
    let [context, key, tag, chunk] =
        [place::CONTEXT, place::KEY, place::TAG, place::CHUNK].map(|offset| calls.data(offset));
    count(|| {
        calls.write(key, &KEY.0)?;
        calls.write(chunk, &CHUNK.0)?;
        calls.call(start, [context, key, KEY.0.len()])?;
        for _ in 0..CHUNKS {
            calls.call(update, [context, chunk, CHUNK.0.len()])?;
        }
        calls.call(out, [context, tag])?;
        // SAFETY: the tag is in the host's part of the window.
        expect(unsafe { calls.trusted(tag, TAG.0.len()) } == TAG.0)
    })
}

/// The functions of littlefs, and the addresses of what they are given.
struct Files {
    format: usize,
    mount: usize,
    open: usize,
    write: usize,
    rewind: usize,
    read: usize,
    close: usize,
    settings: usize,
    disk: Disk,
}

#[inline(never)]
fn store(calls: &mut Calls) -> Result<[u64; 2]> {
    let (disk, settings) = (calls.function("ram_disk")?, calls.function("ram_file")?);
    let in_c = calls.call(disk, [])?;
    let mut files = Files {
        format: calls.function("lfs_format")?,
        mount: calls.function("lfs_mount")?,
        open: calls.function("lfs_file_opencfg")?,
        write: calls.function("lfs_file_write")?,
        rewind: calls.function("lfs_file_rewind")?,
        read: calls.function("lfs_file_read")?,
        close: calls.function("lfs_file_close")?,
        settings: calls.call(settings, [])?,
        disk: Disk::new(),
    };
    // SAFETY: `ram_disk` returned it.
    let in_rust = unsafe { configure(calls, in_c) }?;
    calls.write(calls.data(place::PATH), NAME.to_bytes_with_nul())?;
    Ok([count(|| files.run(calls, in_c))?, count(|| files.run(calls, in_rust))?])
}

/// Copies the configuration (lfs.h, `struct lfs_config`), with callbacks for the device.
///
/// # Safety
/// `in_c` is the address of one in the library's memory.
unsafe fn configure(calls: &mut Calls, in_c: usize) -> Result<usize> {
    const WORDS: usize = 21;
    let config = calls.data(place::CONFIG);
    for offset in (0..4 * WORDS).step_by(4) {
        // SAFETY: a word of the structure, as the caller promises.
        let word = unsafe { calls.get_word(in_c + offset) };
        // SAFETY: the copy is in the host's part of the window, which has room for it.
        unsafe { calls.put_word(config + offset, word) };
    }
    let slots = [
        lfs_config_read_fn::FIRST_SLOT,
        lfs_config_prog_fn::FIRST_SLOT,
        lfs_config_erase_fn::FIRST_SLOT,
        lfs_config_sync_fn::FIRST_SLOT,
    ];
    for (index, slot) in (1..).zip(slots) {
        let function = calls.runtime.trampoline(slot).ok_or(Error::Misuse("no such slot"))?;
        // SAFETY: as above; the functions are the second word to the fifth.
        unsafe { calls.put_word(config + 4 * index, function) };
    }
    Ok(config)
}

impl Files {
    fn run(&mut self, calls: &mut Calls, config: usize) -> Result<()> {
        let [system, file, path] =
            [place::SYSTEM, place::FILE, place::PATH].map(|offset| calls.data(offset));
        let (data, back) = (calls.data(place::DATA), calls.data(place::BACK));
        let len = CONTENTS.0.len();
        let formatted = self.call(calls, self.format, &[system, config])?;
        let mounted = self.call(calls, self.mount, &[system, config])?;
        let opened = self.call(calls, self.open, &[system, file, path, FLAGS, self.settings])?;
        expect((formatted, mounted, opened) == (0, 0, 0))?;
        calls.write(data, &CONTENTS.0)?;
        let written = self.call(calls, self.write, &[system, file, data, len])?;
        let rewound = self.call(calls, self.rewind, &[system, file])?;
        let read = self.call(calls, self.read, &[system, file, back, len])?;
        expect((written, rewound, read) == (len, 0, len))?;
        // SAFETY: the host's part of the window has room for the contents twice.
        expect(unsafe { calls.trusted(back, len) } == CONTENTS.0)?;
        expect(self.call(calls, self.close, &[system, file])? == 0)
    }

    #[inline]
    fn call(&mut self, calls: &mut Calls, entry: usize, arguments: &[usize]) -> Result<usize> {
        let disk = &mut self.disk;
        calls.call_and_answer(entry, arguments, |calls, slot, frame| {
            // SAFETY: littlefs calls the trampolines only, which pass their frames.
            unsafe { answer(calls, disk, slot, frame) };
            Ok(())
        })
    }
}

/// Answers a callback of littlefs.
///
/// # Safety
/// `frame` is the address of a trampoline's frame.
unsafe fn answer(calls: &mut Calls, disk: &mut Disk, slot: u32, frame: usize) {
    // SAFETY: the frame is on the library's stack. It has five words for arguments, or the stack
    // goes on behind it: littlefs's own functions have their frames there.
    let argument = |index: usize| unsafe { calls.get_word(frame + 4 * (ARGUMENTS + index)) };
    let (block, offset) = (argument(1) as u32, argument(2) as u32);
    let (bytes, len) = (argument(3), argument(4));
    let (answer, count) = match slot {
        lfs_config_read_fn::FIRST_SLOT => {
            // SAFETY: littlefs passes room for as many bytes as it says (lfs.h).
            (disk.read(block, offset, unsafe { calls.trusted_mut(bytes, len) }), 5)
        }
        lfs_config_prog_fn::FIRST_SLOT => {
            // SAFETY: littlefs passes as many bytes as it says (lfs.h).
            (disk.program(block, offset, unsafe { calls.trusted(bytes, len) }), 5)
        }
        lfs_config_erase_fn::FIRST_SLOT => (disk.erase(block), 2),
        _ => (0, 1),
    };
    // SAFETY: as for the arguments, which the result follows.
    unsafe { calls.put_word(frame + 4 * (ARGUMENTS + count), answer as usize) };
}

#[inline(never)]
fn echo(calls: &mut Calls) -> Result<u64> {
    let packets = Packets::new();
    let [own, mask, gateway] =
        [QEMU.own, QEMU.mask, QEMU.gateway].map(|address| u32::from_ne_bytes(address) as usize);
    let transmit = calls.runtime.trampoline(netif_linkoutput_fn::FIRST_SLOT).unwrap_or(0);
    let (start, netif) = (calls.function("echo_start")?, calls.function("network_netif")?);
    let place = calls.data(0);
    calls.write(place, &OWN)?;
    // lwIP announces its address, which is no reply.
    calls.call_and_answer(start, &[transmit, place, own, mask, gateway], |_, _, _| Ok(()))?;
    let mut network = Network {
        allocate: calls.function("pbuf_alloc")?,
        take: calls.function("pbuf_take")?,
        input: calls.function("netif_input")?,
        card: calls.call(netif, [])?,
        reply: packets.reply,
        answered: 0,
    };
    calls.write(place, &packets.question)?;
    network.receive(calls, place)?;
    calls.write(place, &packets.request)?;
    count(|| {
        network.answered = 0;
        for _ in 0..PACKETS {
            network.receive(calls, place)?;
        }
        expect(network.answered == PACKETS)
    })
}

struct Network {
    allocate: usize,
    take: usize,
    input: usize,
    card: usize,
    reply: [u8; HEADERS],
    answered: usize,
}

impl Network {
    /// Passes a frame to lwIP. Lengths are half-words, and errors bytes, in the order of the
    /// arguments.
    #[inline(always)]
    fn receive(&mut self, calls: &mut Calls, frame: usize) -> Result<()> {
        let buffer = calls.call(self.allocate, [RAW, HEADERS, POOL])?;
        expect(buffer != 0)?;
        calls.call(self.take, [buffer, frame, HEADERS])?;
        let exchange = calls.runtime.exchange().0;
        // SAFETY: the call's frame is at the start of the host's part of the window.
        let taken = unsafe { calls.get_word(exchange + 4 * (ARGUMENTS + 2)) } >> 16;
        let (reply, answered) = (&self.reply, &mut self.answered);
        let received =
            calls.call_and_answer(self.input, &[buffer, self.card], |calls, _, frame| {
                // SAFETY: lwIP calls the trampoline only, which passes its frame.
                unsafe { transmit(calls, reply, answered, frame) };
                Ok(())
            })?;
        expect((taken & 0xff, received & 0xff) == (0, 0))
    }
}

/// Counts the reply. lwIP has it in one buffer, which held the request (pbuf.h, `struct pbuf`: next,
/// contents, two lengths).
///
/// # Safety
/// `frame` is the address of a trampoline's frame.
unsafe fn transmit(calls: &mut Calls, reply: &[u8; HEADERS], answered: &mut usize, frame: usize) {
    // SAFETY: the frame's second argument, the buffer.
    let buffer = unsafe { calls.get_word(frame + 4 * (ARGUMENTS + 1)) };
    // SAFETY: lwIP passes a buffer of its own, and aligns buffers to words (lwipopts.h).
    let [payload, lengths] = [4, 8].map(|offset| unsafe { calls.get_word(buffer + offset) });
    // SAFETY: the buffer has as many bytes as it says.
    let frame_is_reply = unsafe { calls.trusted(payload, lengths >> 16) } == reply;
    *answered += usize::from(frame_is_reply);
    // SAFETY: the result follows the arguments.
    unsafe { calls.put_word(frame + 4 * (ARGUMENTS + 2), 0) };
}
