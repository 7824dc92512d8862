//! lwIP linked to this program.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::ffi::c_void;
use core::hint::black_box;

use omniglot_kernel::services::network::{FRAME, QEMU};

use super::{Lwip, OWN, Peer, run, some};
use crate::count::count;

/// The buffers in which lwIP keeps frames (pbuf.h, `struct pbuf`), with the fields that are used.
#[repr(C)]
pub(crate) struct Buffer {
    next: *const Self,
    pub(crate) payload: *const u8,
    whole: u16,
    pub(crate) len: u16,
}

// The declarations are those of network.h and of lwIP's timeouts.h.
unsafe extern "C" {
    fn network_start(
        transmit: unsafe extern "C" fn(*mut c_void, *const Buffer) -> i8,
        hardware: *const u8,
        address: u32,
        mask: u32,
        gateway: u32,
    ) -> i8;
    fn network_set_time(milliseconds: u32);
    fn network_receive(frame: *const c_void, len: u16) -> i8;
    fn sys_check_timeouts();
}

/// Measures the workload.
pub(crate) fn measure() -> u64 {
    let [own, mask, gateway] = [QEMU.own, QEMU.mask, QEMU.gateway].map(u32::from_ne_bytes);
    let mut native = Native;
    *native.peer() = Peer::new();
    // SAFETY: declared as in network.h; the address has six bytes, and the function lives as long
    // as the program.
    unsafe { network_start(transmit, OWN.as_ptr(), own, mask, gateway) };
    let counted = count(|| {
        let answered = run(&mut native);
        black_box(matches!(answered, Ok(true)));
        Ok::<_, Infallible>(())
    });
    match counted {
        Ok(count) => count,
    }
}

/// The peer that the callback uses.
struct Shared(UnsafeCell<Option<Peer>>);

// SAFETY: there is one hart, and each access ends before the next one begins.
unsafe impl Sync for Shared {}

static PEER: Shared = Shared(UnsafeCell::new(None));

struct Native;

impl Lwip for Native {
    type Error = Infallible;

    fn peer(&mut self) -> &mut Peer {
        // SAFETY: there is one user at a time: lwIP does not run while a frame is taken from it,
        // and nothing else borrows it while lwIP sends.
        unsafe { &mut *PEER.0.get() }.get_or_insert_with(Peer::new)
    }

    fn set_time(&mut self, milliseconds: u32) -> Result<(), Infallible> {
        // SAFETY: declared as in network.h.
        unsafe { network_set_time(milliseconds) };
        Ok(())
    }

    fn receive(&mut self) -> Result<bool, Infallible> {
        let mut frame = [0; FRAME];
        let Some(len) = some(self.peer()).receive(&mut frame) else { return Ok(false) };
        // SAFETY: declared as in network.h; the frame has as many bytes as the length says.
        unsafe { network_receive(frame.as_ptr().cast(), len as u16) };
        Ok(true)
    }

    fn check_timeouts(&mut self) -> Result<(), Infallible> {
        // SAFETY: declared as in timeouts.h.
        unsafe { sys_check_timeouts() };
        Ok(())
    }
}

/// Sends a frame. One that spans several buffers is copied into one first.
unsafe extern "C" fn transmit(_: *mut c_void, mut next: *const Buffer) -> i8 {
    // SAFETY: lwIP passes a valid buffer.
    let head = unsafe { &*next };
    if head.whole == head.len {
        // SAFETY: the buffer has as many bytes as it says.
        let whole = unsafe { core::slice::from_raw_parts(head.payload, head.len.into()) };
        some(Native.peer()).send(whole);
        return 0;
    }
    let mut frame = [0; FRAME];
    let mut len = 0;
    // SAFETY: lwIP passes a chain of valid buffers, whose last one has a null `next`.
    while let Some(buffer) = unsafe { next.as_ref() } {
        let end = len + usize::from(buffer.len);
        if let Some(part) = frame.get_mut(len..end) {
            // SAFETY: the buffer has as many bytes as it says.
            unsafe { buffer.payload.copy_to_nonoverlapping(part.as_mut_ptr(), part.len()) };
        }
        len = end;
        if buffer.whole == buffer.len {
            break;
        }
        next = buffer.next;
    }
    some(Native.peer()).send(frame.get(..len).unwrap_or(&[]));
    0
}

/// Called when an assertion of lwIP fails: then there is nothing to measure.
#[unsafe(no_mangle)]
extern "C" fn abort() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
