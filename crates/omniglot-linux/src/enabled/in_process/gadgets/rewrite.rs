//! Removes accidental gadgets from the host's own code: in a large program the displacement of some
//! call is likely to form an instruction that changes what keys allow.
//!
//! Pages of code begin and end with bytes of the file that are not code but its neighbours there,
//! data that is never used at this address. Such bytes are overwritten.
//!
//! If the unwind tables say which function a gadget is in, and the function's instructions are
//! certain, one of them is replaced by an equivalent (crate omniglot-scan), while other threads may
//! run that code: [`patch::replace`] changes it in one step. A thread that was interrupted inside
//! the function is at the boundary of two instructions. Only a single instruction is replaced, so
//! the thread finds what it expects, and a call returns to where it did.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use omniglot_core::{Error, Result};
use omniglot_scan::{
    Code, Elsewhere, Gadget, LONGEST_DETOUR, Obstacle, Rewrite, function, rewrite,
};

use super::objects::{Object, with_object};
use super::patch::{self, Room};
use crate::enabled::layout::PAGE;
use crate::enabled::system::failed;

/// A longer function is not decoded, since that takes time.
const LONGEST_FUNCTION: u64 = 16 << 20;
/// How many places in a page are tried for a detour, and how far they are apart. The bytes before
/// the first place are not code, so that no instruction begins in the page before.
const PLACES: usize = 64;
const DISTANCE: usize = 56;
const _: () = assert!(
    LONGEST_DETOUR <= DISTANCE && (PLACES + 1) * DISTANCE <= PAGE,
    "places do not touch each other nor the page's end"
);

/// Why a gadget stays.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The obstacle says what can be done about it.
    Obstacle(Obstacle),
    /// Something failed.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Obstacle> for Refusal {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

/// Replaces an instruction that `gadget` is in, so that it is gone.
pub(crate) fn remove(memory: &File, gadget: &Gadget) -> std::result::Result<(), Refusal> {
    let mut obstacle = Some(Obstacle::Unclear);
    let mut work = |object: &Object| match remove_from(object, memory, gadget) {
        Ok(()) => {
            obstacle = None;
            Ok(())
        }
        Err(Refusal::Obstacle(other)) => {
            obstacle = Some(other);
            Ok(())
        }
        Err(Refusal::Error(error)) => Err(error),
    };
    if let Some(outcome) = with_object(gadget.address as usize, &mut work) {
        outcome?;
    }
    obstacle.map_or(Ok(()), |obstacle| Err(obstacle.into()))
}

fn remove_from(
    object: &Object,
    memory: &File,
    gadget: &Gadget,
) -> std::result::Result<(), Refusal> {
    let start = gadget.address as usize;
    if let Some(slack) = (start..start + 3).find(|byte| object.is_slack(*byte)) {
        // SAFETY: nobody runs that byte (invariant 16).
        return Ok(unsafe { patch::replace(slack, &[patch::TRAP]) }?);
    }
    let range = function_at(object, memory, gadget.address)?.ok_or(Obstacle::Unclear)?;
    let bytes = read(memory, range.start as usize..range.end as usize)?;
    let function = Code { address: range.start, bytes: &bytes };
    let room = Room::near(gadget.address as usize)?;
    let (place, rewrite) = match place_in(&room, gadget, &function, &object.extent()) {
        Ok(found) => found,
        Err(obstacle) => {
            room.give_back();
            return Err(obstacle.into());
        }
    };
    if rewrite.code.is_empty() {
        room.give_back();
    } else {
        room.fill(place, &rewrite.code, &rewrite.data)?;
    }
    // SAFETY: one instruction by an equivalent of its length, in a function whose instructions
    // are all known (invariant 16).
    Ok(unsafe { patch::replace(rewrite.address as usize, &rewrite.bytes) }?)
}

/// The first suitable place in the room, and the code for it.
fn place_in(
    room: &Room,
    gadget: &Gadget,
    function: &Code<'_>,
    image: &Range<u64>,
) -> std::result::Result<(usize, Rewrite), Obstacle> {
    for place in (1..=PLACES).map(|index| index * DISTANCE) {
        let elsewhere = Elsewhere { code: (room.code() + place) as u64, data: room.data() as u64 };
        match rewrite(gadget, function, image, elsewhere) {
            Ok(rewrite) => return Ok((place, rewrite)),
            Err(Obstacle::Place) => {}
            Err(obstacle) => return Err(obstacle),
        }
    }
    Err(Obstacle::Place)
}

/// The function that contains an address, by its object's unwind tables.
fn function_at(object: &Object, memory: &File, address: u64) -> Result<Option<Range<u64>>> {
    let Some(header) = object.unwinding else {
        return Ok(None);
    };
    let Some(segment) = object.segments.iter().find(|segment| segment.contains(&header)) else {
        return Ok(None);
    };
    let bytes = read(memory, segment.clone())?;
    let segment = Code { address: segment.start as u64, bytes: &bytes };
    let found = function(&segment, header as u64, address);
    let inside = |range: &Range<u64>| {
        let holds = |segment: &Range<usize>| {
            segment.start as u64 <= range.start && range.end <= segment.end as u64
        };
        range.end - range.start <= LONGEST_FUNCTION && object.segments.iter().any(holds)
    };
    Ok(found.filter(inside))
}

fn read(memory: &File, range: Range<usize>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; range.len()];
    memory
        .read_exact_at(&mut bytes, range.start as u64)
        .map_err(failed("reading the process's code"))?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "../../../../tests/support/planted.rs"]
mod planted;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use omniglot_scan::{Code, Gadget, Kind, find};

    use super::{planted, read, remove, with_object};

    fn gadgets(memory: &File) -> Vec<Gadget> {
        let range = planted::code();
        let bytes = read(memory, range.clone()).unwrap();
        find(&[Code { address: range.start as u64, bytes: &bytes }], Kind::changes_keys)
    }

    #[test]
    fn what_only_shares_a_page_with_code_is_overwritten() {
        let memory = File::open("/proc/self/mem").unwrap();
        let own = gadgets as *const () as usize;
        let mut slack = None;
        let found = with_object(own, &mut |object| {
            let mut ends = object.segments.iter().filter(|segment| segment.contains(&own));
            slack = ends.next().map(|segment| segment.end).filter(|end| object.is_slack(*end));
            assert!(!object.is_slack(own));
            Ok(())
        });
        assert_eq!(found, Some(Ok(())));
        let Some(slack) = slack else {
            return; // the code ends with a page
        };
        let before = read(&memory, slack - 8..slack + 8).unwrap();
        let gadget = Gadget { address: slack as u64 - 1, length: 3, kind: Kind::Wrpkru };
        assert!(remove(&memory, &gadget).is_ok());
        let after = read(&memory, slack - 8..slack + 8).unwrap();
        assert_eq!((&after[..8], after[8], &after[9..]), (&before[..8], 0xcc, &before[9..]));
    }

    /// Other threads run that code all the time meanwhile.
    #[test]
    fn accidental_gadgets_go_and_the_code_stays_right() {
        let memory = File::open("/proc/self/mem").unwrap();
        assert_eq!((planted::wrong(), gadgets(&memory).len()), (None, planted::COUNT));
        let (is_done, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        assert_eq!(planted::wrong(), None);
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for gadget in gadgets(&memory) {
                let before = rounds.load(Ordering::Relaxed);
                while rounds.load(Ordering::Relaxed) < before + 100 {
                    thread::yield_now();
                }
                let removed = remove(&memory, &gadget);
                is_done.fetch_or(removed.is_err(), Ordering::Relaxed);
                assert!(removed.is_ok(), "{gadget:x?}: {removed:?}");
            }
            is_done.store(true, Ordering::Relaxed);
        });
        assert_eq!((planted::wrong(), gadgets(&memory)), (None, Vec::new()));
    }
}
