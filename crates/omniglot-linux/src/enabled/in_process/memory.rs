//! A domain's memory in the host's process, mapped twice: at the addresses that foreign code uses,
//! with the protections that its pages had in the worker, and at a constant distance for the host,
//! as data.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsFd;

use omniglot_core::{Error, Result, Text, Window};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use zerocopy::FromBytes;

use super::gadgets::code::{self, Admitted};
use super::keys::tag;
use super::shared_page;
use super::snapshot::Snapshot;
use crate::enabled::generation;
use crate::enabled::layout::{Layout, PAGE, RegionRecord};
use crate::enabled::mapping::Mapping;
use crate::enabled::system::refused;
use crate::enabled::tree::Tree;
use crate::options::Options;

/// How often to try another place for a window.
const ATTEMPTS: usize = 16;
/// The most mappings that a domain can have, and that the loader lists.
const MOST_REGIONS: u64 = 4096;

/// A range of addresses that nothing else in the process uses; inaccessible at first.
#[derive(Debug)]
pub(super) struct Reservation {
    start: usize,
    size: usize,
    generation: u64,
}

impl Reservation {
    /// Finds a place for a window that is free here and in a worker.
    pub(super) fn find(options: &Options, generation: u64) -> Result<(Layout, Self)> {
        for _ in 0..ATTEMPTS {
            let layout = Layout::new(options)?;
            match Self::at(layout.base, layout.size) {
                Ok(()) => {
                    let reserved = Self { start: layout.base, size: layout.size, generation };
                    keep_from_children(&(reserved.start..reserved.start + reserved.size))?;
                    return Ok((layout, reserved));
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(refused("reserving the window")(errno)),
            }
        }
        Err(refused("reserving the window")(Errno::EXIST))
    }

    fn at(start: usize, size: usize) -> core::result::Result<(), Errno> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
        // SAFETY: fails where anything is mapped (invariant 2).
        unsafe { mmap_anonymous(address(start), size, ProtFlags::empty(), flags) }.map(drop)
    }

    fn contains(&self, range: &Range<usize>) -> bool {
        range.start >= self.start && range.end <= self.start + self.size && range.start < range.end
    }

    /// Maps a part of a file at the addresses that foreign code uses.
    fn map(
        &self,
        range: &Range<usize>,
        access: ProtFlags,
        file: impl AsFd,
        offset: usize,
    ) -> Result<()> {
        let flags = MapFlags::SHARED | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: replaces a part of this reservation, as the caller checked, in which no Rust
        // object lies (invariants 2, 5).
        unsafe { mmap(address(range.start), range.len(), access, flags, file, offset as u64) }
            .map_err(refused("mapping the window"))?;
        keep_from_children(range) // again, since these are other mappings
    }
}

/// A forked child must not run foreign code, whose system calls would not be dispatched, and so has
/// no use for the memory.
fn keep_from_children(range: &Range<usize>) -> Result<()> {
    // SAFETY: the range is in a reservation of ours (invariant 5); a child just lacks it
    // (invariant 6).
    unsafe { madvise(address(range.start), range.len(), Advice::LinuxDontFork) }
        .map_err(refused("keeping the window from forked children"))?;
    // SAFETY: as above (invariant 5). Where the kernel cannot, core dumps are larger.
    let _ = unsafe { madvise(address(range.start), range.len(), Advice::LinuxDontDump) };
    Ok(())
}

impl Drop for Reservation {
    /// In a forked child the range may belong to another mapping.
    fn drop(&mut self) {
        if generation::check(self.generation).is_ok() {
            // SAFETY: the range is ours, and no thread runs in it any more (invariants 5, 8).
            let unmapped = unsafe { munmap(address(self.start), self.size) };
            debug_assert!(unmapped.is_ok(), "a reservation can be unmapped");
        }
    }
}

fn address(number: usize) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(number)
}

/// A domain's memory.
#[derive(Debug)]
pub(super) struct Memory {
    reservation: Reservation,
    alias: Mapping,
    copy: File,
    snapshot: Snapshot,
    /// The ranges that foreign code may write, ascending and disjoint.
    writable: Vec<Range<usize>>,
    /// Dropped after the reservation.
    _admitted: Admitted,
}

impl Memory {
    /// Copies a window into fresh memory, and maps that.
    pub(super) fn copy(
        reservation: Reservation,
        layout: &Layout,
        mut snapshot: Snapshot,
        regions: &Regions,
        tree: Option<(&Tree, Range<usize>)>,
        key: Option<u32>,
    ) -> Result<Self> {
        let (mut alias, copy) = Mapping::create(layout.size)?;
        let copy = File::from(copy);
        snapshot.scan()?;
        snapshot.copy_to(&copy)?;
        let (start, size) = (reservation.start, reservation.size);
        if let Some(key) = key {
            // SAFETY: the reservation, in which nothing is yet (invariants 2 and 5).
            unsafe { tag(start, size, ProtFlags::empty(), key) }?;
        }
        // Without a key the code counts as the host's, since other domains can jump there.
        let admitted = if shared_page::are_in_use() {
            code::disarm(&copy, start, &regions.code())?;
            Admitted::window(start..start + size)?
        } else {
            Admitted::plain(start..start + size)?
        };
        alias.keep_from_children(reservation.generation)?;
        let writable = merged(&regions.list);
        let mut memory = Self { reservation, alias, copy, snapshot, writable, _admitted: admitted };
        regions.list.iter().try_for_each(|region| memory.map(region, key))?;
        if let Some((tree, place)) = tree {
            memory.show(tree, &place, regions, key)?;
        }
        Ok(memory)
    }

    /// Maps the host's files where foreign code looks for them, to be read only.
    fn show(
        &mut self,
        tree: &Tree,
        place: &Range<usize>,
        regions: &Regions,
        key: Option<u32>,
    ) -> Result<()> {
        let start = self.reservation.start;
        let range = start + place.start..start + place.end;
        let overlaps =
            |mapped: &Mapped| mapped.range.start < range.end && range.start < mapped.range.end;
        if !self.reservation.contains(&range) || regions.list.iter().any(overlaps) {
            return Err(Error::Protocol("the domain's files lie in other memory"));
        }
        self.reservation.map(&range, ProtFlags::READ, &tree.file, 0)?;
        if let Some(key) = key {
            // SAFETY: just mapped in the reservation, to be read (invariants 2 and 5).
            unsafe { tag(range.start, range.len(), ProtFlags::READ, key) }?;
        }
        self.alias.overlay(place.clone(), &tree.file)?;
        self.alias.forbid_writing(place.start, place.len())?;
        self.alias.keep_from_children(self.reservation.generation) // the new mapping, too
    }

    /// Restores everything that foreign code or the host could write.
    pub(super) fn restore(&self) -> Result<()> {
        let start = self.reservation.start;
        let parts = self.writable.iter().map(|range| range.start - start..range.end - start);
        self.snapshot.restore(&self.copy, &parts.collect::<Vec<_>>())
    }

    fn map(&self, region: &Mapped, key: Option<u32>) -> Result<()> {
        if !self.reservation.contains(&region.range) {
            return Err(Error::Protocol("a mapping outside the window"));
        }
        let offset = region.range.start - self.reservation.start;
        self.reservation.map(&region.range, region.access, &self.copy, offset)?;
        if let Some(key) = key {
            // SAFETY: just mapped in the reservation, with that access (invariants 2 and 5).
            unsafe { tag(region.range.start, region.range.len(), region.access, key) }?;
        }
        if !region.access.contains(ProtFlags::WRITE) {
            self.alias.forbid_writing(offset, region.range.len())?;
        }
        Ok(())
    }

    /// The host's address of the window's start.
    pub(super) fn start(&self) -> *mut u8 {
        self.alias.at(0).as_ptr()
    }

    /// The window, for as long as the memory lives.
    pub(super) fn window(&self) -> Window {
        self.alias.window(self.reservation.start)
    }

    /// Checks that foreign code may write these bytes.
    #[inline]
    pub(super) fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        let after = self.writable.partition_point(|range| range.start <= address);
        let range = after.checked_sub(1).and_then(|index| self.writable.get(index));
        match range {
            Some(range) if address <= range.end && len <= range.end - address => Ok(()),
            _ => Err(Error::ReadOnly { address, len }),
        }
    }

    /// Whether foreign code may write any of these bytes.
    pub(super) fn overlaps_writable(&self, address: usize, len: usize) -> bool {
        let end = address.saturating_add(len);
        self.writable.iter().any(|range| range.start < end && address < range.end)
    }
}

/// The worker's mappings, as the worker reports them; checked as far as it matters.
#[derive(Debug)]
pub(super) struct Regions {
    list: Vec<Mapped>,
}

#[derive(Debug)]
struct Mapped {
    range: Range<usize>,
    access: ProtFlags,
}

impl Regions {
    /// Reads the list from the worker's window.
    ///
    /// The window's first part up to `own_end`, which the host writes of its own accord, counts as
    /// writable data whatever the worker reports: otherwise the host would fault.
    pub(super) fn read(window: &Window, own_end: usize, address: u64, count: u64) -> Result<Self> {
        if count > MOST_REGIONS {
            return Err(Error::Protocol("too many mappings"));
        }
        let mut bytes = vec![0; count as usize * size_of::<RegionRecord>()];
        window.read(address as usize, &mut bytes)?;
        let regions = bytes.chunks_exact(size_of::<RegionRecord>()).filter_map(|bytes| {
            let region = RegionRecord::read_from_bytes(bytes).ok()?;
            Mapped::of(&region, window).transpose()
        });
        let mut list = regions.collect::<Result<Vec<_>>>()?;
        list.iter_mut().for_each(|mapped| mapped.range.start = mapped.range.start.max(own_end));
        list.retain(|mapped| !mapped.range.is_empty());
        list.push(Mapped {
            range: window.start()..own_end,
            access: ProtFlags::READ | ProtFlags::WRITE,
        });
        list.sort_by_key(|mapped| mapped.range.start);
        if list.iter().zip(list.iter().skip(1)).any(|(one, next)| one.range.end > next.range.start)
        {
            return Err(Error::Protocol("mappings that overlap"));
        }
        Ok(Self { list })
    }
}

impl Regions {
    /// The parts that foreign code can execute.
    fn code(&self) -> Vec<Range<usize>> {
        let code = self.list.iter().filter(|region| region.access.contains(ProtFlags::EXEC));
        code.map(|region| region.range.clone()).collect()
    }
}

impl Mapped {
    /// What to map; `None` for parts that are inaccessible or outside the window.
    fn of(region: &RegionRecord, window: &Window) -> Result<Option<Self>> {
        let range = region.start as usize..region.end as usize;
        let inside = range.start >= window.start()
            && range.end <= window.start() + window.len()
            && range.start < range.end;
        let access = ProtFlags::from_bits_truncate(region.protection.cast_unsigned());
        if !inside || access.is_empty() {
            return Ok(None);
        }
        if !range.start.is_multiple_of(PAGE) || !range.end.is_multiple_of(PAGE) {
            return Err(Error::Protocol("a mapping that is not of whole pages"));
        }
        if access.contains(ProtFlags::WRITE | ProtFlags::EXEC) {
            return Err(Error::Load(Text::new(
                "the library has memory that is both writable and executable, which only \
                 Isolation::Process can give",
            )));
        }
        Ok(Some(Self { range, access }))
    }
}

/// The writable ranges, neighbours joined.
fn merged(regions: &[Mapped]) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for region in regions.iter().filter(|region| region.access.contains(ProtFlags::WRITE)) {
        match merged.last_mut() {
            Some(last) if last.end == region.range.start => last.end = region.range.end,
            _ => merged.push(region.range.clone()),
        }
    }
    merged
}
