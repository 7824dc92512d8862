//! Tests lwIP on a link whose other end is the test.

use omniglot_kernel::Kernel;
use omniglot_kernel::services::network::{FRAME, Link, Network};

use crate::report::{Outcome, Report, Test, check, equal, unexpected};

const TESTS: &[Test] = &[
    ("lwip::arp_is_answered", arp),
    ("lwip::icmp_echo_is_answered", echo),
    ("lwip::a_wrong_checksum_is_not", wrong_checksum),
    ("lwip::noise_does_no_harm", noise),
];

/// Ethernet addresses of the link's other end and of the kernel.
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const KERNEL: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Their IP addresses.
const PEER_IP: [u8; 4] = [10, 0, 2, 2];
const KERNEL_IP: [u8; 4] = [10, 0, 2, 15];

pub(crate) fn run(kernel: &mut Kernel, report: &mut Report) {
    report.run(kernel, TESTS);
}

/// A link that delivers one frame and keeps the last frame that is sent.
struct Pair {
    coming: Option<([u8; FRAME], usize)>,
    sent: [u8; FRAME],
    sent_len: usize,
}

impl Link for Pair {
    fn address(&self) -> [u8; 6] {
        KERNEL
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        for (to, from) in self.sent.iter_mut().zip(frame) {
            *to = *from;
        }
        self.sent_len = frame.len();
        true
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        let (frame, len) = self.coming.take()?;
        into.get_mut(..len)?.copy_from_slice(frame.get(..len)?);
        Some(len)
    }
}

/// Passes a frame to lwIP, and returns the link with lwIP's answer, if any.
fn exchange(kernel: &mut Kernel, frame: &[u8]) -> Result<Pair, crate::report::Why> {
    let mut pair = Pair { coming: None, sent: [0; FRAME], sent_len: 0 };
    let now = kernel.clock.milliseconds();
    let network: &mut Network = &mut kernel.services.network;
    // Discards what lwIP sends when it starts.
    network.poll(&mut pair, now, "").map_err(unexpected)?;
    pair.sent_len = 0;
    let mut bytes = [0; FRAME];
    for (to, from) in bytes.iter_mut().zip(frame) {
        *to = *from;
    }
    pair.coming = Some((bytes, frame.len()));
    network.poll(&mut pair, now, "").map_err(unexpected)?;
    Ok(pair)
}

/// Concatenates the parts of a frame.
fn frame<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut frame = [0; N];
    for (to, from) in frame.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    frame
}

/// Asks for the kernel's Ethernet address (RFC 826).
fn arp(kernel: &mut Kernel) -> Outcome {
    let question: [u8; 42] = frame(&[
        &[0xff; 6],
        &PEER,
        &[8, 6],
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &PEER,
        &PEER_IP,
        &[0; 6],
        &KERNEL_IP,
    ]);
    let answer: [u8; 42] = frame(&[
        &PEER,
        &KERNEL,
        &[8, 6],
        &[0, 1, 8, 0, 6, 4, 0, 2],
        &KERNEL,
        &KERNEL_IP,
        &PEER,
        &PEER_IP,
    ]);
    let pair = exchange(kernel, &question)?;
    equal(&pair.sent.get(..42), &Some(&answer[..]))
}

/// Returns an IP header for 28 bytes of ICMP, with its checksum.
fn ip_header(from: [u8; 4], to: [u8; 4]) -> [u8; 20] {
    let start: &[u8] = &[0x45, 0, 0, 48, 0, 7, 0, 0, 64, 1, 0, 0];
    let mut header: [u8; 20] = frame(&[start, &from, &to]);
    let sum = checksum(&header).to_be_bytes();
    for (to, from) in header.iter_mut().skip(10).zip(sum) {
        *to = from;
    }
    header
}

/// Computes the Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([high, low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Returns an ICMP message with 20 bytes of data. `wrong` is added to its checksum.
fn message(kind: u8, wrong: u16) -> [u8; 28] {
    let mut message: [u8; 28] = frame(&[&[kind, 0, 0, 0, 0x12, 0x34, 0, 9], &[0xa5; 20]]);
    let sum = checksum(&message).wrapping_add(wrong).to_be_bytes();
    for (to, from) in message.iter_mut().skip(2).zip(sum) {
        *to = from;
    }
    message
}

fn question(wrong: u16) -> [u8; 62] {
    frame(&[&KERNEL, &PEER, &[8, 0], &ip_header(PEER_IP, KERNEL_IP), &message(8, wrong)])
}

/// Expects the same data back.
fn echo(kernel: &mut Kernel) -> Outcome {
    let pair = exchange(kernel, &question(0))?;
    equal(&pair.sent_len, &62)?;
    equal(&pair.sent.get(..14), &Some(&frame::<14>(&[&PEER, &KERNEL, &[8, 0]])[..]))?;
    equal(&pair.sent.get(26..34), &Some(&frame::<8>(&[&KERNEL_IP, &PEER_IP])[..]))?;
    equal(&pair.sent.get(34..62), &Some(&message(0, 0)[..]))
}

fn wrong_checksum(kernel: &mut Kernel) -> Outcome {
    let pair = exchange(kernel, &question(1))?;
    equal(&pair.sent_len, &0)
}

/// Sends random frames, many of which pass the first checks, and then a valid one.
fn noise(kernel: &mut Kernel) -> Outcome {
    let mut state = 0x2545_f491_u32;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..2000 {
        let mut bytes = question(0);
        for _ in 0..next() % 6 {
            let place = (14 + next() % 48) as usize;
            if let Some(byte) = bytes.get_mut(place) {
                *byte = next() as u8;
            }
        }
        let header = ip_header_of(&bytes);
        for (to, from) in bytes.iter_mut().skip(14).zip(header) {
            *to = from;
        }
        exchange(kernel, &bytes)?;
    }
    check(kernel.services.network.domain.trouble().is_none(), "lwIP is down")?;
    // By now lwIP may have removed the peer from its ARP table.
    arp(kernel)?;
    echo(kernel)
}

/// Returns the frame's IP header with a correct checksum.
fn ip_header_of(bytes: &[u8]) -> [u8; 20] {
    let mut header: [u8; 20] =
        frame(&[bytes.get(14..24).unwrap_or(&[]), &[0; 2], bytes.get(26..34).unwrap_or(&[])]);
    let sum = checksum(&header).to_be_bytes();
    for (to, from) in header.iter_mut().skip(10).zip(sum) {
        *to = from;
    }
    header
}
