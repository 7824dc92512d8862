//! ICMP echo ("ping", RFC 792).

use core::cell::{Cell, RefCell};

use omniglot::{Ptr, Result};

use super::link::Link;
use super::{Address, NOT_STARTED, Network, fine, present, with_callbacks};
use crate::domain::{Failure, Runtime};
use crate::foreign::lwip::{Api, pbuf};

/// Types of ICMP messages.
const REPLY: u8 = 0;
const REQUEST: u8 = 8;
/// The identifier of this kernel's requests.
const IDENTIFIER: u16 = 0x6f67;
/// Length of a request: header and some data.
const LENGTH: usize = 40;
/// Length of the IP header, which lwIP leaves before the message (in QEMU's network it has no
/// options).
const IP_HEADER: usize = 20;

/// State of the last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    sequence: u16,
    answered: bool,
}

impl Ping {
    pub(super) const NONE: Self = Self { sequence: 0, answered: false };
}

impl Network {
    /// Sends an echo request. The answer arrives during later polls.
    ///
    /// # Errors
    /// lwIP's errors, or the call fails.
    pub fn ping(&mut self, link: &mut dyn Link, to: Address) -> core::result::Result<(), Failure> {
        let sequence = self.state.ping.get().sequence.wrapping_add(1);
        self.state.ping.set(Ping { sequence, answered: false });
        let (link, state) = (RefCell::new(link), &self.state);
        let pcb = self.domain.run(|library| {
            with_callbacks(library, state, &link, |api, functions| {
                state.started.get().ok_or(NOT_STARTED)?;
                let mut pcb = state.icmp;
                if pcb.is_null() {
                    pcb = present(api.network_icmp(functions.icmp)?)?;
                }
                let sent = api.scope(|scope| {
                    let packet = scope.copy_in(&request(sequence))?;
                    let packet = packet.as_ptr().cast();
                    scope.network_send_icmp(pcb, packet, LENGTH as u16, u32::from_ne_bytes(to))
                })?;
                fine(sent)?;
                Ok(pcb)
            })
        })?;
        self.state.icmp = pcb;
        Ok(())
    }

    /// Returns true if the last request was answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.state.ping.get().answered
    }
}

/// Returns an echo request.
fn request(sequence: u16) -> [u8; LENGTH] {
    let mut packet = [0x5a; LENGTH];
    let [id_high, id_low] = IDENTIFIER.to_be_bytes();
    let [high, low] = sequence.to_be_bytes();
    let header = [REQUEST, 0, 0, 0, id_high, id_low, high, low];
    for (to, from) in packet.iter_mut().zip(header) {
        *to = from;
    }
    let sum = checksum(&packet).to_be_bytes();
    for (to, from) in packet.iter_mut().skip(2).zip(sum) {
        *to = from;
    }
    packet
}

/// Computes the Internet checksum (RFC 1071).
#[must_use]
pub fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Handles an ICMP packet. Returns 1, which consumes it, if it is the awaited answer.
pub(super) fn receive(api: &mut Api<Runtime>, ping: &Cell<Ping>, packet: Ptr<pbuf>) -> Result<u8> {
    let head = api.read(api.upgrade(packet)?)?;
    if usize::from(head.len) < IP_HEADER + LENGTH {
        return Ok(0);
    }
    let bytes = api.upgrade_slice(head.payload.cast::<u8>(), IP_HEADER + LENGTH)?;
    let mut message = [0; IP_HEADER + LENGTH];
    api.read_into(bytes, &mut message)?;
    let waited = ping.get();
    let [id_high, id_low] = IDENTIFIER.to_be_bytes();
    let [high, low] = waited.sequence.to_be_bytes();
    let wanted = [REPLY, 0, id_high, id_low, high, low];
    let found = [20, 21, 24, 25, 26, 27].map(|index| message.get(index).copied().unwrap_or(1));
    if found != wanted {
        return Ok(0);
    }
    ping.set(Ping { answered: true, ..waited });
    api.pbuf_free(packet)?;
    Ok(1)
}
