//! Frames between lwIP and a network card.

use core::cell::RefCell;

use omniglot::{Ptr, Result};
use omniglot_kernel_hardware::NetworkCard;

use super::{BAD_VALUE, OK};
use crate::domain::{Failure, Runtime};
use crate::foreign::lwip::{Api, pbuf};

/// Size of the largest Ethernet frame: 1500 bytes, and 14 for addresses and type.
pub const FRAME: usize = 1514;

/// A network device that sends and receives frames.
pub trait Link {
    /// Returns its Ethernet address.
    fn address(&self) -> [u8; 6];

    /// Sends a frame. Returns `false` if that failed.
    fn send(&mut self, frame: &[u8]) -> bool;

    /// Copies the next frame that has arrived, as much as fits. Returns the number of bytes copied,
    /// or `None` if there is no frame.
    fn receive(&mut self, into: &mut [u8]) -> Option<usize>;
}

impl Link for NetworkCard {
    fn address(&self) -> [u8; 6] {
        Self::address(self)
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        Self::send(self, frame).is_ok()
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        Self::receive(self, |frame| {
            let len = frame.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..len), frame.get(..len)) {
                to.copy_from_slice(from);
            }
            len
        })
    }
}

/// Sends a frame that lwIP has in a chain of buffers. A single buffer is sent in place.
pub(super) fn transmit(
    api: &mut Api<Runtime>,
    frame: Ptr<pbuf>,
    link: &RefCell<&mut dyn Link>,
) -> Result<i8> {
    let head = api.read(api.upgrade(frame)?)?;
    if head.tot_len == head.len && usize::from(head.len) <= FRAME {
        let whole = api.upgrade_slice(head.payload.cast::<u8>(), head.len.into())?;
        send(link, &api.view_slice(whole)?);
        return Ok(OK);
    }
    let mut bytes = [0; FRAME];
    let Some(len) = copy_chain(api, frame, &mut bytes)? else { return Ok(BAD_VALUE) };
    send(link, bytes.get(..len).unwrap_or(&[]));
    Ok(OK)
}

/// Sends a frame. If that fails, the frame is lost, as on any network.
fn send(link: &RefCell<&mut dyn Link>, frame: &[u8]) {
    let _ = link.try_borrow_mut().is_ok_and(|mut link| link.send(frame));
}

/// Copies a chain of buffers, and returns its length. Returns `None` if it is longer than `into`,
/// as a circular chain is.
fn copy_chain(api: &Api<Runtime>, mut next: Ptr<pbuf>, into: &mut [u8]) -> Result<Option<usize>> {
    let (mut len, mut links) = (0_usize, 0);
    while !next.is_null() {
        let buffer = api.read(api.upgrade(next)?)?;
        let end = len.saturating_add(buffer.len.into());
        let Some(part) = into.get_mut(len..end) else { return Ok(None) };
        api.read_into(api.upgrade_slice(buffer.payload.cast::<u8>(), buffer.len.into())?, part)?;
        (len, links) = (end, links + 1);
        // The last buffer of a packet, even if another packet follows.
        if buffer.tot_len == buffer.len || links > into.len() {
            break;
        }
        next = buffer.next;
    }
    Ok(Some(len))
}

/// Passes up to `limit` frames that have arrived to lwIP, and returns their number.
pub(super) fn take_in(
    api: &mut Api<Runtime>,
    link: &RefCell<&mut dyn Link>,
    limit: usize,
) -> core::result::Result<usize, Failure> {
    for count in 0..limit {
        let arrived = api.scope(|scope| {
            let room = scope.reserve(FRAME)?;
            let receive = |bytes: &mut [u8]| link.try_borrow_mut().ok()?.receive(bytes);
            let Some(len) = scope.write_slice_with(room, receive)? else { return Ok(false) };
            // Frames that lwIP has no room for are lost, as on any network.
            scope.network_receive(room.as_ptr().cast(), len as u16)?;
            Ok(true)
        })?;
        if !arrived {
            return Ok(count);
        }
    }
    Ok(limit)
}
