//! Frames between lwIP and a network card.

use core::cell::RefCell;

use omniglot::{Ptr, Result};
use omniglot_kernel_hardware::NetworkCard;

use super::{BAD_VALUE, OK};
use crate::domain::{Failure, Runtime};
use crate::foreign::lwip::{Api, pbuf};

/// The largest frame of Ethernet: 1500 bytes, and 14 for addresses and type.
pub const FRAME: usize = 1514;

/// What frames are sent and received with.
pub trait Link {
    /// Its Ethernet address.
    fn address(&self) -> [u8; 6];

    /// Sends a frame; `false` if that was not possible.
    fn send(&mut self, frame: &[u8]) -> bool;

    /// Copies the next frame that has arrived, as far as there is room, and says how long that
    /// is.
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

/// Sends the frame that lwIP has in a chain of buffers: from where it is, if there is only one.
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

/// Sends a frame. One that could not be sent is lost, as on any network.
fn send(link: &RefCell<&mut dyn Link>, frame: &[u8]) {
    let _ = link.try_borrow_mut().is_ok_and(|mut link| link.send(frame));
}

/// Copies a chain of buffers, and says how long it is; `None` if it is longer than `into`,
/// as one that leads back to itself is.
fn copy_chain(api: &Api<Runtime>, mut next: Ptr<pbuf>, into: &mut [u8]) -> Result<Option<usize>> {
    let (mut len, mut links) = (0_usize, 0);
    while !next.is_null() {
        let buffer = api.read(api.upgrade(next)?)?;
        let end = len.saturating_add(buffer.len.into());
        let Some(part) = into.get_mut(len..end) else { return Ok(None) };
        api.read_into(api.upgrade_slice(buffer.payload.cast::<u8>(), buffer.len.into())?, part)?;
        (len, links) = (end, links + 1);
        // The last one of a packet, even if another packet follows.
        if buffer.tot_len == buffer.len || links > into.len() {
            break;
        }
        next = buffer.next;
    }
    Ok(Some(len))
}

/// Gives lwIP up to `limit` frames that have arrived, and says how many there were.
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
            // What lwIP has no room for is lost, as on any network.
            scope.network_receive(room.as_ptr().cast(), len as u16)?;
            Ok(true)
        })?;
        if !arrived {
            return Ok(count);
        }
    }
    Ok(limit)
}
