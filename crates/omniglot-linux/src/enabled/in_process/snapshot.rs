//! A window as its worker left it: the initial state of a domain, and the state after each reset.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use omniglot_core::Result;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use crate::enabled::mapping::Mapping;
use crate::enabled::system::{failed, refused};

/// The most parts that are listed. A library that touched every other page would have many more,
/// and the host's work at each reset would grow with them.
const MOST_EXTENTS: usize = 4096;

/// The memory of a worker that has ended, so that nothing writes it any more.
#[derive(Debug)]
pub(super) struct Snapshot {
    mapping: Arc<Mapping>,
    /// The parts that have pages, except the host's own part of the window.
    extents: Vec<Range<usize>>,
    file: OwnedFd,
    start: usize,
}

impl Snapshot {
    /// Takes over the memory of a worker that was killed and reaped.
    pub(super) fn of(mapping: Arc<Mapping>, file: OwnedFd, start: usize) -> Self {
        Self { mapping, extents: Vec::new(), file, start }
    }

    /// Finds the pages that exist; the rest is zero.
    pub(super) fn scan(&mut self) -> Result<()> {
        let mut at = self.start as u64;
        while let Some(extent) = next_extent(&self.file, at)? {
            at = extent.end;
            self.extents.push(extent.start as usize..extent.end as usize);
        }
        join(&mut self.extents, MOST_EXTENTS);
        Ok(())
    }

    /// Writes all pages into a fresh copy.
    pub(super) fn copy_to(&self, copy: &File) -> Result<()> {
        self.extents.iter().try_for_each(|extent| self.copy_part(copy, extent))
    }

    /// Restores parts of a copy; they are ascending and disjoint.
    pub(super) fn restore(&self, copy: &File, parts: &[Range<usize>]) -> Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        parts.iter().try_for_each(|part| {
            fallocate(copy, flags, part.start as u64, part.len() as u64)
                .map_err(refused("emptying the window"))
        })?;
        common(&self.extents, parts).try_for_each(|both| self.copy_part(copy, &both))
    }

    fn copy_part(&self, copy: &File, part: &Range<usize>) -> Result<()> {
        // SAFETY: the worker has ended (invariant 4), and the host does not write to its window.
        let bytes = unsafe { self.mapping.bytes(part.clone()) };
        copy.write_all_at(bytes, part.start as u64).map_err(failed("copying the window"))
    }
}

/// The next part of a file in memory that has pages (lseek(2)).
fn next_extent(file: impl AsFd, from: u64) -> Result<Option<Range<u64>>> {
    let start = match seek(&file, SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(refused("looking for the window's pages")(errno)),
    };
    let end =
        seek(&file, SeekFrom::Hole(start)).map_err(refused("looking for the window's pages"))?;
    Ok(Some(start..end))
}

/// The intersection of two lists of ranges, each ascending and disjoint: one walk through both.
fn common<'a>(
    mut ones: &'a [Range<usize>],
    mut others: &'a [Range<usize>],
) -> impl Iterator<Item = Range<usize>> + 'a {
    std::iter::from_fn(move || {
        while let (Some(one), Some(other)) = (ones.first(), others.first()) {
            let both = one.start.max(other.start)..one.end.min(other.end);
            if one.end <= other.end {
                ones = ones.get(1..).unwrap_or_default();
            } else {
                others = others.get(1..).unwrap_or_default();
            }
            if !both.is_empty() {
                return Some(both);
            }
        }
        None
    })
}

/// Joins neighbours until there are at most `most`: those that are nearest to each other first.
fn join(ranges: &mut Vec<Range<usize>>, most: usize) {
    let gap = |one: &Range<usize>, next: &Range<usize>| next.start - one.end;
    let mut gaps: Vec<_> = ranges
        .windows(2)
        .filter_map(|pair| {
            let [one, next] = pair else { return None };
            Some(gap(one, next))
        })
        .collect();
    if gaps.len() < most {
        return;
    }
    let superfluous = gaps.len() + 1 - most;
    let (_, widest, _) = gaps.select_nth_unstable(superfluous - 1);
    let widest = *widest;
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(most);
    for range in ranges.drain(..) {
        match joined.last_mut() {
            Some(last) if gap(last, &range) <= widest => last.end = range.end,
            _ => joined.push(range),
        }
    }
    *ranges = joined;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_in_common_what_each_pair_has() {
        let ones = [0..4, 6..8, 10..20, 30..31];
        let others = [1..2, 3..7, 7..12, 15..16, 40..50];
        let pairs = ones.iter().flat_map(|one| {
            others.iter().map(move |other| one.start.max(other.start)..one.end.min(other.end))
        });
        let expected: Vec<_> = pairs.filter(|both| !both.is_empty()).collect();
        assert_eq!(common(&ones, &others).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_nearest_neighbours_are_joined() {
        let all = vec![0..1, 2..3, 10..11, 12..13, 40..41];
        for (most, left) in [
            (9, all.clone()),
            (5, all.clone()),
            (3, vec![0..3, 10..13, 40..41]),
            (2, vec![0..13, 40..41]),
            (1, vec![Range { start: 0, end: 41 }]),
        ] {
            let mut ranges = all.clone();
            join(&mut ranges, most);
            assert_eq!(ranges, left, "at most {most}");
        }
        let mut even: Vec<_> = (0..1000).map(|place| 2 * place..2 * place + 1).collect();
        join(&mut even, 10);
        assert_eq!(even, [Range { start: 0, end: 1999 }]);
    }
}
