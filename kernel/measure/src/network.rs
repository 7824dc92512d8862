//! A network workload: a peer asks for lwIP's Ethernet address, and then sends echo requests, which
//! lwIP answers. The same frames are sent to the library linked to this program, to the one behind
//! its protection, and to the kernel's own service.

mod isolation;
mod native;

use core::hint::black_box;

use omniglot_kernel::services::network::{Link, QEMU, checksum};

pub(crate) use isolation::measure as isolated;
pub(crate) use native::{Buffer, measure as native};

/// Number of echo requests, and the length of each one's data.
const REQUESTS: usize = 8;
const DATA: usize = 1024;
/// Headers of Ethernet, IP and ICMP.
pub(crate) const HEADERS: usize = 14 + 20 + 8;
/// The time, in milliseconds, at which all frames and answers occur.
pub(crate) const NOW: u32 = 1000;

/// Ethernet addresses.
pub(crate) const PEER: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const OWN: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The other end of the link: it sends requests and counts the answers.
pub(crate) struct Peer {
    question: [u8; HEADERS],
    request: [u8; HEADERS + DATA],
    asked: usize,
    answered: usize,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self { question: question(), request: request(), asked: 0, answered: 0 }
    }

    /// Sends all requests once more.
    pub(crate) fn begin(&mut self) {
        (self.asked, self.answered) = (0, 0);
    }

    /// Returns true if every request was answered.
    pub(crate) fn is_content(&self) -> bool {
        self.answered == REQUESTS + 1
    }
}

impl Link for Peer {
    fn address(&self) -> [u8; 6] {
        OWN
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        black_box(frame);
        self.answered += 1;
        true
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        let frame: &[u8] = match self.asked {
            0 => &self.question,
            1..=REQUESTS => &self.request,
            _ => return None,
        };
        self.asked += 1;
        into.get_mut(..frame.len())?.copy_from_slice(frame);
        Some(frame.len())
    }
}

/// An ARP request for lwIP's address (RFC 826).
pub(crate) fn question() -> [u8; HEADERS] {
    let parts: [&[u8]; 8] = [
        &[0xff; 6],
        &PEER,
        &[8, 6],
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &PEER,
        &QEMU.gateway,
        &[0; 6],
        &QEMU.own,
    ];
    joined(&parts)
}

/// An echo request (RFC 791, RFC 792).
fn request() -> [u8; HEADERS + DATA] {
    let [high, low] = ((HEADERS - 14 + DATA) as u16).to_be_bytes();
    let start: &[u8] = &[0x45, 0, high, low, 0, 7, 0, 0, 64, 1, 0, 0];
    let mut header: [u8; 20] = joined(&[start, &QEMU.gateway, &QEMU.own]);
    set_checksum(&mut header, 10);
    let mut message: [u8; 8 + DATA] = joined(&[&[8, 0, 0, 0, 0x12, 0x34, 0, 9], &[0xa5; DATA]]);
    set_checksum(&mut message, 2);
    joined(&[&OWN, &PEER, &[8, 0], &header, &message])
}

/// Concatenates the parts.
pub(crate) fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    bytes
}

/// Writes the Internet checksum (RFC 1071) to `place`, which must be zero.
pub(crate) fn set_checksum(bytes: &mut [u8], place: usize) {
    let sum = checksum(bytes).to_be_bytes();
    for (to, from) in bytes.iter_mut().skip(place).zip(sum) {
        *to = from;
    }
}

/// lwIP in any of the variants.
trait Lwip {
    /// The variant's error.
    type Error;
    /// Returns the other end of the link.
    fn peer(&mut self) -> &mut Peer;
    /// Sets the time.
    fn set_time(&mut self, milliseconds: u32) -> Result<(), Self::Error>;
    /// Passes one frame that has arrived to lwIP. Returns false if there is none.
    fn receive(&mut self) -> Result<bool, Self::Error>;
    /// Handles lwIP's expired timers.
    fn check_timeouts(&mut self) -> Result<(), Self::Error>;
}

/// Passes all of the peer's frames to lwIP, as the kernel's service does. Returns true if every
/// request was answered.
fn run<L: Lwip>(library: &mut L) -> Result<bool, L::Error> {
    library.peer().begin();
    library.set_time(NOW)?;
    while library.receive()? {}
    library.check_timeouts()?;
    Ok(library.peer().is_content())
}

/// Returns a link as a trait object, as the kernel's service uses it, so that each variant measures
/// the same code.
fn some(peer: &mut Peer) -> &mut dyn Link {
    black_box(peer)
}
