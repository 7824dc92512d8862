//! lwIP behind its protection, without any checks of values.
#![allow(unsafe_code)]

use omniglot::{Error, Result, Runtime as _, Signature};
use omniglot_kernel::foreign::lwip::{Lwip as Library, netif_linkoutput_fn};
use omniglot_kernel::services::network::{FRAME, QEMU};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use super::{Lwip, OWN, Peer, run, some};
use crate::count::count;
use crate::isolation::{ARGUMENTS, Calls};

/// Measures the workload, and returns the memory.
#[inline(never)]
pub(crate) fn measure(hart: Hart, region: ForeignRegion) -> Result<(u64, ForeignRegion)> {
    let calls = Calls::start::<Library<omniglot_kernel::domain::Runtime>>(hart, region)?;
    let mut isolated = Isolated::new(calls.in_time())?;
    isolated.start()?;
    let counted = count(|| match run(&mut isolated)? {
        true => Ok(()),
        false => Err(Error::Misuse("all requests are answered")),
    })?;
    Ok((counted, isolated.calls.runtime.into_runtime().into_region()))
}

struct Isolated {
    calls: Calls,
    set_time: usize,
    receive: usize,
    check_timeouts: usize,
    peer: Peer,
}

impl Isolated {
    fn new(calls: Calls) -> Result<Self> {
        Ok(Self {
            set_time: calls.function("network_set_time")?,
            receive: calls.function("network_receive")?,
            check_timeouts: calls.function("sys_check_timeouts")?,
            calls,
            peer: Peer::new(),
        })
    }

    fn start(&mut self) -> Result<()> {
        let [own, mask, gateway] = [QEMU.own, QEMU.mask, QEMU.gateway].map(u32::from_ne_bytes);
        let transmit = self.calls.runtime.trampoline(netif_linkoutput_fn::FIRST_SLOT).unwrap_or(0);
        let hardware = self.calls.data(0);
        self.calls.write(hardware, &OWN)?;
        let entry = self.calls.function("network_start")?;
        let addresses = [own, mask, gateway].map(|address| address as usize);
        let [own, mask, gateway] = addresses;
        self.call(entry, &[transmit, hardware, own, mask, gateway])
    }

    fn call(&mut self, entry: usize, arguments: &[usize]) -> Result<()> {
        let peer = &mut self.peer;
        // SAFETY: lwIP calls the trampoline only, which passes its frame.
        let answer = |calls: &mut Calls, _, frame| unsafe { transmit(calls, peer, frame) };
        self.calls.call_and_answer(entry, arguments, answer).map(|_| ())
    }
}

impl Lwip for Isolated {
    type Error = Error;

    fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }

    fn set_time(&mut self, milliseconds: u32) -> Result<()> {
        self.call(self.set_time, &[milliseconds as usize])
    }

    fn receive(&mut self) -> Result<bool> {
        let place = self.calls.data(0);
        let room = self.calls.bytes(place, FRAME)?;
        let Some(len) = some(&mut self.peer).receive(room) else { return Ok(false) };
        self.call(self.receive, &[place, len])?;
        Ok(true)
    }

    fn check_timeouts(&mut self) -> Result<()> {
        self.call(self.check_timeouts, &[])
    }
}

/// Sends the frame whose address is the second argument. lwIP has it in a chain of buffers (pbuf.h,
/// `struct pbuf`: next, contents, two lengths).
///
/// # Safety
/// `arguments` is the address of a trampoline's frame, in which lwIP passes buffers that are
/// aligned (lwipopts.h).
unsafe fn transmit(calls: &mut Calls, peer: &mut Peer, arguments: usize) -> Result<()> {
    const SUCCESS: usize = 0;
    // SAFETY: a word of the frame.
    let first = unsafe { word(calls, arguments + 4 * (ARGUMENTS + 1)) }?;
    // SAFETY: an aligned buffer.
    let [whole, own] = unsafe { lengths(calls, first) }?;
    if whole == own {
        // SAFETY: a word of that buffer.
        let payload = unsafe { word(calls, first + 4) }?;
        some(peer).send(calls.bytes(payload, whole)?);
    } else {
        let mut frame = [0; FRAME];
        // SAFETY: an aligned buffer, whose next ones are aligned, too.
        let len = unsafe { copy_chain(calls, first, &mut frame) }?;
        some(peer).send(frame.get(..len).unwrap_or(&[]));
    }
    // SAFETY: the frame's result, which follows the arguments.
    unsafe { calls.put_word(arguments + 4 * (ARGUMENTS + 2), SUCCESS) };
    Ok(())
}

/// Copies a frame from a chain of buffers.
///
/// # Safety
/// All of them are aligned.
unsafe fn copy_chain(calls: &Calls, mut next: usize, frame: &mut [u8]) -> Result<usize> {
    let mut len = 0;
    while next != 0 {
        // SAFETY: an aligned buffer.
        let [whole, own] = unsafe { lengths(calls, next) }?;
        let part = frame.get_mut(len..len + own).ok_or(Error::Misuse("frames are short"))?;
        // SAFETY: a word of that buffer.
        let payload = unsafe { word(calls, next + 4) }?;
        calls.runtime.window().read(payload, part)?;
        len += own;
        if whole == own {
            break;
        }
        // SAFETY: a word of that buffer.
        next = unsafe { word(calls, next) }?;
    }
    Ok(len)
}

/// Returns the length of the whole chain, and of its first buffer.
///
/// # Safety
/// The buffer is aligned.
unsafe fn lengths(calls: &Calls, buffer: usize) -> Result<[usize; 2]> {
    // SAFETY: a word of the buffer.
    let lengths = unsafe { word(calls, buffer + 8) }?;
    Ok([lengths & 0xffff, lengths >> 16])
}

/// Reads a word of the library's memory.
///
/// # Safety
/// The address is a multiple of four.
unsafe fn word(calls: &Calls, address: usize) -> Result<usize> {
    calls.runtime.window().check(address, size_of::<usize>())?;
    // SAFETY: in the window, as was checked, and aligned, as the caller promises.
    Ok(unsafe { calls.get_word(address) })
}
