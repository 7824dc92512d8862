//! Searches executable memory at every byte offset.

use std::borrow::Cow;

use memchr::memchr3_iter;

use crate::kind::Kind;
use crate::pattern::{self, ESCAPE, INTERRUPT, LONGEST, REX2};

/// A range of memory that is executable, or will be.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// The address of its first byte.
    pub address: u64,
    /// Its contents.
    pub bytes: &'a [u8],
}

impl<'a> Code<'a> {
    /// The address behind the last byte. It wraps around at 2^64.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.address.wrapping_add(self.bytes.len() as u64)
    }

    /// The bytes from `address` to the end of the range, or `None` if `address` lies outside.
    #[must_use]
    pub fn from(&self, address: u64) -> Option<&'a [u8]> {
        let offset = usize::try_from(address.checked_sub(self.address)?).ok()?;
        self.bytes.get(offset..).filter(|rest| !rest.is_empty())
    }
}

/// An instruction that code could jump to, intended by a compiler or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gadget {
    /// The address of the opcode's first byte. Prefixes may precede it.
    pub address: u64,
    /// The length in bytes from there. It is shorter than the processor needs if the code ends
    /// early.
    pub length: usize,
    /// What kind of instruction it is.
    pub kind: Kind,
}

/// Finds every instruction of the wanted kinds, at every byte offset, in order of addresses.
///
/// Adjacent ranges are searched as one, as the processor executes them: an instruction that begins
/// in one and ends in the next is found, too. The ranges may be in any order, but must not overlap.
///
/// ```
/// use omniglot_scan::{Code, Kind, find};
/// // mov eax, 0xef010f: the instruction hides in a number.
/// let code = Code { address: 0x1000, bytes: &[0xb8, 0x0f, 0x01, 0xef, 0x00] };
/// let gadgets = find(&[code], Kind::changes_keys);
/// assert_eq!((gadgets[0].address, gadgets[0].kind), (0x1001, Kind::Wrpkru));
/// ```
#[must_use]
pub fn find(code: &[Code<'_>], wanted: fn(Kind) -> bool) -> Vec<Gadget> {
    let mut code = code.to_vec();
    // An empty range would look like a gap.
    code.retain(|range| !range.bytes.is_empty());
    code.sort_by_key(|range| range.address);
    let mut gadgets = Vec::new();
    for (number, range) in code.iter().enumerate() {
        let following = code.get(number + 1..).unwrap_or_default();
        for offset in memchr3_iter(ESCAPE, INTERRUPT, REX2, range.bytes) {
            let bytes = fetched(range, offset, following);
            if let Some((kind, length)) = pattern::at(&bytes).filter(|(kind, _)| wanted(*kind)) {
                let address = range.address.wrapping_add(offset as u64);
                gadgets.push(Gadget { address, length, kind });
            }
        }
    }
    gadgets
}

/// The bytes that the processor would fetch for an instruction, up to the end of the code.
fn fetched<'a>(range: &Code<'a>, offset: usize, following: &[Code<'_>]) -> Cow<'a, [u8]> {
    let rest = range.bytes.get(offset..).unwrap_or_default();
    match rest.get(..LONGEST) {
        Some(whole) => Cow::Borrowed(whole),
        None => Cow::Owned(continued(range.end(), rest, following)),
    }
}

/// `rest` and the bytes that follow it without a gap, up to the length of the longest instruction.
fn continued(mut end: u64, rest: &[u8], following: &[Code<'_>]) -> Vec<u8> {
    let mut bytes = rest.to_vec();
    for next in following {
        let missing = LONGEST.saturating_sub(bytes.len());
        if next.address != end || missing == 0 {
            break;
        }
        bytes.extend(next.bytes.iter().take(missing));
        end = next.end();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Code, Gadget, find};
    use crate::kind::Kind;

    fn found(code: &[Code<'_>]) -> Vec<(u64, Kind, usize)> {
        let tuple = |gadget: Gadget| (gadget.address, gadget.kind, gadget.length);
        find(code, |_| true).into_iter().map(tuple).collect()
    }

    #[test]
    fn one_is_found_at_every_offset() {
        for offset in 0..64 {
            let mut bytes = [0x90; 67];
            bytes[offset..offset + 3].copy_from_slice(&[0x0f, 0x01, 0xef]);
            let code = Code { address: 0x7000, bytes: &bytes };
            assert_eq!(found(&[code]), [(0x7000 + offset as u64, Kind::Wrpkru, 3)]);
        }
    }

    #[test]
    fn one_is_found_across_every_seam() {
        let bytes = [0x90, 0x0f, 0xae, 0x6c, 0x24, 0x40, 0x90];
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let part = |from: usize, to| Code {
                    address: 0x5000 + from as u64,
                    bytes: &bytes[from..to],
                };
                // The order of the ranges does not matter.
                let parts = [part(second, bytes.len()), part(first, second), part(0, first)];
                assert_eq!(found(&parts), [(0x5001, Kind::Xrstor, 5)], "{first} {second}");
            }
        }
    }

    #[test]
    fn what_lies_behind_a_gap_is_not_fetched() {
        let first = Code { address: 0x1000, bytes: &[0x0f, 0x01] };
        assert_eq!(found(&[first, Code { address: 0x1003, bytes: &[0xef] }]), []);
        assert_eq!(found(&[first]), []);
        let joined = found(&[first, Code { address: 0x1002, bytes: &[0xef] }]);
        assert_eq!(joined, [(0x1000, Kind::Wrpkru, 3)]);
    }

    #[test]
    fn the_last_bytes_count() {
        let code = Code { address: 0, bytes: &[0x90, 0x0f, 0x05] };
        assert_eq!(found(&[code]), [(1, Kind::Syscall, 2)]);
    }

    #[test]
    fn the_end_of_the_address_space_is_no_trouble() {
        let code = Code { address: u64::MAX - 1, bytes: &[0x0f, 0x05] };
        assert_eq!(found(&[code]), [(u64::MAX - 1, Kind::Syscall, 2)]);
        assert_eq!(code.end(), 0);
    }
}
