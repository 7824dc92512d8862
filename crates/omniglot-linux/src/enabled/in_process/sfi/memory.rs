//! An instance's memory: what is mapped in its region.
//!
//! | from | what |
//! |---|---|
//! | `BASE` | the region's base, read-only |
//! | `GATES` | the page of gates, executable |
//! | `IMAGE_MIN` | the image: its code, executable; constants, read-only; data |
//! | behind the image | a guard, read-only, that the stack runs into; the stack; the control area, which the system-call server shares with the host; the exchange area; the heap; the files that the host gives, read-only |
//!
//! What lies between these is read-only, and zero: nobody can leave anything there for a later life.
//! All instances of an image share its pages; what one writes is its own.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;

use omniglot_core::{Error, Result, Window};
use omniglot_verify::layout::GATES;
use omniglot_verify::{BASE, GUARD, REGION};
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect,
};

use super::image::{Image, Segment};
use super::page::gates;
use super::region::Region;
use crate::enabled::layout::{CONTROL_SIZE, PAGE};
use crate::enabled::system::refused;
use crate::enabled::tree::Tree;
use crate::options::Options;

const SMALLEST: usize = 32 << 20;
const SMALLEST_STACK: usize = 1 << 20;
/// Below the stack: readable, so that the window has no holes, and not writable, so that a stack
/// that runs over faults.
const STACK_GUARD: usize = 64 * PAGE;
/// The first page of the window, and the end of what a region can have.
const FIRST: usize = GATES.start as usize;
const LAST: usize = (REGION - GUARD) as usize;

/// Where things lie behind an image, in bytes from the region's base.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    guard: Range<usize>,
    pub(super) stack: Range<usize>,
    pub(super) control: Range<usize>,
    pub(super) exchange: Range<usize>,
    pub(super) heap: Range<usize>,
    pub(super) tree: Range<usize>,
}

impl Plan {
    /// The sizes that options ask for, of all and of the stack.
    fn sizes(options: &Options) -> Result<(usize, usize)> {
        const REMEDY: &str = "change it, or use Isolation::Process";
        let wrong = |what| Err(Error::Unsupported { what, remedy: REMEDY });
        let size = options.memory_limit.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
        let stack = options.stack_size.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
        if size < SMALLEST || size > REGION as usize {
            return wrong("with Isolation::Sfi memory_limit must be from 32 MiB to 4 GiB");
        }
        if stack < SMALLEST_STACK || stack > size / 4 {
            return wrong(
                "with Isolation::Sfi stack_size must be from 1 MiB to a quarter of memory_limit",
            );
        }
        Ok((size, stack))
    }

    fn new(image_end: usize, options: &Options, tree: usize) -> Result<Self> {
        let (size, stack) = Self::sizes(options)?;
        let end = (FIRST + size).min(LAST);
        let guard = image_end..image_end + STACK_GUARD;
        let stack = guard.end..guard.end + stack;
        let control = stack.end..stack.end + CONTROL_SIZE;
        let exchange = control.end..control.end + (size / 4).next_multiple_of(PAGE);
        let heap = exchange.end..end.saturating_sub(tree);
        if heap.is_empty() {
            return Err(Error::Unsupported {
                what: "the library, with its files, is too large for memory_limit",
                remedy: "give it more, up to 4 GiB, or use Isolation::Process",
            });
        }
        Ok(Self { guard, stack, control, exchange, tree: heap.end..end, heap })
    }

    /// Whether a fault at `address` with that stack pointer is a stack that ran over; both from the
    /// region's base.
    pub(super) fn is_stack_overflow(&self, address: usize, stack_pointer: usize) -> bool {
        let near = self.guard.start..self.stack.start + STACK_GUARD;
        self.guard.contains(&address) && near.contains(&stack_pointer)
    }
}

/// A region with an image in it.
#[derive(Debug)]
pub(super) struct RegionMemory {
    region: Region,
    pub(super) plan: Plan,
    /// What foreign code may write, ascending and apart from each other: mapped so from this list,
    /// and all else read-only, so that host and pages agree.
    writable: Vec<Range<usize>>,
}

impl RegionMemory {
    /// Maps an image in a region.
    pub(super) fn map(
        region: Region,
        image: &Arc<Image>,
        tree: Option<&Tree>,
        options: &Options,
    ) -> Result<Self> {
        let plan = Plan::new(image.end(), options, tree.map_or(0, |tree| tree.len))?;
        let mut writable = writable_parts(&image.segments);
        writable.push(plan.stack.start..plan.heap.end);
        let memory = Self { region, plan, writable };
        memory.fill(image)?;
        if let Some(tree) = tree {
            memory.map_file(&memory.plan.tree, ProtFlags::READ, &tree.file, 0)?;
        }
        Ok(memory)
    }

    fn fill(&self, image: &Image) -> Result<()> {
        let whole = FIRST..self.plan.tree.end;
        self.map_zeros(&whole, ProtFlags::READ)?;
        let data = ProtFlags::READ | ProtFlags::WRITE;
        self.writable.iter().try_for_each(|range| self.map_zeros(range, data))?;
        let code = ProtFlags::READ | ProtFlags::EXEC;
        self.map_file(&(FIRST..FIRST + PAGE), code, gates()?, 0)?;
        for segment in &image.segments {
            let range = segment.range.start..segment.range.start + segment.in_file.len();
            self.map_file(&range, segment.access, &image.file, segment.in_file.start)?;
        }
        self.write_base()
    }

    fn map_zeros(&self, range: &Range<usize>, access: ProtFlags) -> Result<()> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: in a region of this value's alone, in which nobody runs yet (invariants 2, 5).
        unsafe { mmap_anonymous(self.at(range.start), range.len(), access, flags) }
            .map(drop)
            .map_err(refused("mapping a region"))
    }

    /// The page from which foreign code knows its base (V2).
    fn write_base(&self) -> Result<()> {
        let place = BASE as usize..BASE as usize + PAGE;
        self.map_zeros(&place, ProtFlags::READ | ProtFlags::WRITE)?;
        let page = self.at(place.start);
        // SAFETY: the page was just mapped, and nobody runs in the region yet (invariants 4, 5).
        unsafe { page.cast::<u64>().write_volatile(self.region.start() as u64) };
        self.protect(&place)
    }

    fn map_file(
        &self,
        range: &Range<usize>,
        access: ProtFlags,
        file: impl AsFd,
        offset: usize,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(()); // zeros only
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: as in `map_zeros`, over memory that nobody uses yet (invariants 2, 5).
        unsafe { mmap(self.at(range.start), range.len(), access, flags, file, offset as u64) }
            .map(drop)
            .map_err(refused("mapping an image"))
    }

    /// Has nobody write there any more.
    fn protect(&self, range: &Range<usize>) -> Result<()> {
        // SAFETY: in this value's region; the host writes nothing there (invariant 5).
        unsafe { mprotect(self.at(range.start), range.len(), MprotectFlags::READ) }
            .map_err(refused("protecting a part of a region"))
    }

    fn at(&self, place: usize) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.region.start() + place)
    }

    /// The region.
    pub(super) const fn region(&self) -> &Region {
        &self.region
    }

    /// The host's address of the window's start.
    pub(super) fn start(&self) -> *mut u8 {
        self.at(FIRST).cast()
    }

    /// The window, for as long as the memory lives.
    pub(super) fn window(&self) -> Result<Window> {
        self.window_of(&(FIRST..self.plan.tree.end))
    }

    /// The control area, for as long as the memory lives.
    pub(super) fn control(&self) -> Result<Window> {
        self.window_of(&self.plan.control)
    }

    /// What is in the window: ranges, and whether foreign code may write there.
    pub(super) fn accessible(&self) -> Vec<(Range<usize>, bool)> {
        let mut ranges = Vec::new();
        let mut next = FIRST;
        for writable in &self.writable {
            ranges.extend([(next..writable.start, false), (writable.clone(), true)]);
            next = writable.end;
        }
        ranges.push((next..self.plan.tree.end, false));
        ranges
    }

    fn window_of(&self, range: &Range<usize>) -> Result<Window> {
        let start = NonNull::new(self.at(range.start).cast::<u8>());
        let start = start.ok_or(Error::Protocol("a region at address 0"))?;
        // SAFETY: all of it is readable, and writable where `check_writable` says so, until the
        // region is dropped (invariants 1, 18); both addresses are multiples of the page size.
        Ok(unsafe { Window::new(start, range.start, range.len()) })
    }

    /// Checks that foreign code may write these bytes.
    #[inline]
    pub(super) fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        let after = self.writable.partition_point(|range| range.start <= address);
        let range = after.checked_sub(1).and_then(|index| self.writable.get(index));
        match range {
            // An empty range at the end of one is in that, too.
            Some(range) if address <= range.end && len <= range.end - address => Ok(()),
            _ => Err(Error::ReadOnly { address, len }),
        }
    }

    /// Brings all that foreign code or the host could write back to what it was: pages that were
    /// written go, and those of the image are there again when they are touched.
    pub(super) fn restore(&self) -> Result<()> {
        self.writable.iter().try_for_each(|range| self.discard(range))
    }

    /// Has whole pages be as they were at first.
    pub(super) fn discard(&self, range: &Range<usize>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: foreign bytes in this value's region, of no view, since the callers have the
        // domain by `&mut` (invariants 2, 5).
        unsafe { madvise(self.at(range.start), range.len(), Advice::LinuxDontNeed) }
            .map_err(refused("emptying memory of a region"))
    }
}

/// What foreign code may write of an image, neighbours joined.
fn writable_parts(segments: &[Segment]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let is_writable = |segment: &&Segment| segment.access.contains(ProtFlags::WRITE);
    for segment in segments.iter().filter(is_writable) {
        match parts.last_mut() {
            Some(last) if last.end == segment.range.start => last.end = segment.range.end,
            _ => parts.push(segment.range.clone()),
        }
    }
    parts
}
