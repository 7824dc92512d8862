//! What stands for system calls that give a library memory: `brk` and `mmap`, in the region's heap.
//!
//! All of the heap is mapped from the beginning, writable, and zero. `brk` grows from its start,
//! mappings from its end downwards; what is given back is emptied, and used again.

use std::ops::Range;

use omniglot_core::{Result, Window};
use syscalls::Sysno;
use zerocopy::{FromBytes, IntoBytes};

use super::memory::Memory;
use crate::enabled::layout::PAGE;

/// What foreign code asks for: its registers, as the page of gates has them on the stack. The
/// number is answered in its own place.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes)]
#[repr(C)]
pub(super) struct Request {
    pub(super) number: u64,
    pub(super) arguments: [u64; 6],
}

impl Request {
    pub(super) fn read(window: &Window, address: usize) -> Result<Self> {
        let mut request = Self { number: 0, arguments: [0; 6] };
        window.read(address, request.as_mut_bytes())?;
        Ok(request)
    }

    /// The first of two arguments as a range of addresses; `None` where it is not of whole pages.
    fn range(&self) -> Option<Range<usize>> {
        let [start, len, ..] = self.arguments;
        let start = start as u32 as usize;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        let end = end.checked_next_multiple_of(PAGE)?;
        (start.is_multiple_of(PAGE) && start < end).then_some(start..end)
    }
}

const ENOMEM: i64 = -12;
const EINVAL: i64 = -22;
const ENODEV: i64 = -19;
const EACCES: i64 = -13;

/// How many gaps there can be among mappings: the kernel, too, has a limit for a process's
/// mappings. It bounds what a request takes.
const MOST_FREE: usize = 4096;

/// A region's heap.
#[derive(Debug)]
pub(super) struct Heap {
    whole: Range<usize>,
    /// How far `brk` has grown.
    end: usize,
    /// Where mappings are, and in them what is not used, ascending and apart from each other.
    mapped: usize,
    free: Vec<Range<usize>>,
}

impl Heap {
    pub(super) const fn new(whole: Range<usize>) -> Self {
        let (start, end) = (whole.start, whole.end);
        Self { whole, end: start, mapped: end, free: Vec::new() }
    }

    /// The answer to a request about memory; `None` for others.
    pub(super) fn answer(&mut self, request: &Request, memory: &Memory) -> Option<i64> {
        let number = usize::try_from(request.number).ok().and_then(Sysno::new)?;
        Some(match number {
            Sysno::brk => self.grow(request.arguments[0] as u32 as usize, memory),
            Sysno::mmap => self.map(request),
            Sysno::munmap => self.unmap(request, memory),
            Sysno::mprotect => self.protect(request),
            Sysno::madvise => self.advise(request, memory),
            Sysno::mremap => ENOMEM, // whoever wants more takes it and copies
            _ => return None,
        })
    }

    /// brk(2), as the system call is: the end, as it is afterwards.
    fn grow(&mut self, end: usize, memory: &Memory) -> i64 {
        let allowed = self.whole.start..=self.mapped;
        if allowed.contains(&end) && (end >= self.end || self.shrink(end, memory)) {
            self.end = end;
        }
        self.end as i64
    }

    /// Empties what is given back, the rest of its first page, too: the next to get it finds zeros.
    fn shrink(&self, end: usize, memory: &Memory) -> bool {
        let pages = end.next_multiple_of(PAGE)..self.end.next_multiple_of(PAGE);
        let rest = end..pages.start.min(self.end);
        memory.clear(&rest).and_then(|()| memory.discard(&pages)).is_ok()
    }

    /// mmap(2) of memory without a file, wherever it is.
    fn map(&mut self, request: &Request) -> i64 {
        let [_, len, access, flags, ..] = request.arguments;
        if flags & libc::MAP_ANONYMOUS as u64 == 0 {
            return ENODEV;
        }
        if flags & libc::MAP_FIXED as u64 != 0 || len == 0 {
            return EINVAL;
        }
        if access & libc::PROT_EXEC as u64 != 0 {
            return EACCES;
        }
        let len = usize::try_from(len).ok().and_then(|len| len.checked_next_multiple_of(PAGE));
        len.and_then(|len| self.take(len)).map_or(ENOMEM, |start| start as i64)
    }

    fn take(&mut self, len: usize) -> Option<usize> {
        // The highest that is large enough, at its end.
        if let Some(index) = self.free.iter().rposition(|range| range.len() >= len) {
            let range = self.free.get_mut(index)?;
            range.end -= len;
            let start = range.end;
            if range.start == range.end {
                self.free.remove(index);
            }
            return Some(start);
        }
        let room = self.mapped - self.end.next_multiple_of(PAGE).min(self.mapped);
        (len <= room).then(|| {
            self.mapped -= len;
            self.mapped
        })
    }

    fn unmap(&mut self, request: &Request, memory: &Memory) -> i64 {
        let Some(range) = request.range().filter(|range| self.is_mapped(range)) else {
            return EINVAL;
        };
        if !self.has_place_for(&range) || memory.discard(&range).is_err() {
            return ENOMEM;
        }
        self.give_back(range);
        0
    }

    /// Which parts that are not used overlap or touch a range: with it they are one. Foreign code
    /// may give back anything twice.
    fn neighbours(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.free.partition_point(|free| free.end < range.start);
        first..self.free.partition_point(|free| free.start <= range.end)
    }

    /// Whether the list of what is not used can have a range, too.
    fn has_place_for(&self, range: &Range<usize>) -> bool {
        self.free.len() < MOST_FREE
            || range.start == self.mapped
            || !self.neighbours(range).is_empty()
    }

    fn give_back(&mut self, mut range: Range<usize>) {
        let joined = self.neighbours(&range);
        for free in self.free.drain(joined.clone()) {
            range = range.start.min(free.start)..range.end.max(free.end);
        }
        if range.start == self.mapped {
            self.mapped = range.end;
        } else {
            self.free.insert(joined.start, range);
        }
    }

    fn is_mapped(&self, range: &Range<usize>) -> bool {
        self.mapped <= range.start && range.end <= self.whole.end
    }

    fn is_in(&self, range: &Range<usize>) -> bool {
        self.whole.start <= range.start && range.end <= self.whole.end
    }

    /// mprotect(2): all of the heap can be read and written, and none of it run.
    fn protect(&self, request: &Request) -> i64 {
        match request.range().filter(|range| self.is_in(range)) {
            Some(_) if request.arguments[2] & libc::PROT_EXEC as u64 != 0 => EACCES,
            Some(_) => 0,
            None => EINVAL,
        }
    }

    /// madvise(2): only what empties memory is more than advice.
    fn advise(&self, request: &Request, memory: &Memory) -> i64 {
        match request.range().filter(|range| self.is_in(range)) {
            Some(range) if request.arguments[2] == libc::MADV_DONTNEED as u64 => {
                memory.discard(&range).map_or(ENOMEM, |()| 0)
            }
            Some(_) => 0,
            None => EINVAL,
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_given_back_and_used_again() {
        let page = |number: usize| number * PAGE;
        let mut heap = Heap::new(page(100)..page(200));
        assert_eq!(heap.take(page(10)), Some(page(190)));
        assert_eq!(heap.take(page(5)), Some(page(185)));
        assert_eq!(heap.take(page(85)), Some(page(100)));
        assert_eq!(heap.take(page(1)), None);
        heap.give_back(page(190)..page(192));
        heap.give_back(page(194)..page(200));
        assert_eq!(heap.free, [page(190)..page(192), page(194)..page(200)]);
        assert_eq!(heap.take(page(2)), Some(page(198)));
        assert_eq!(heap.take(page(5)), None);
        heap.give_back(page(191)..page(195));
        assert_eq!(heap.free, [Range { start: page(190), end: page(198) }]);
        heap.give_back(page(100)..page(185));
        assert_eq!((heap.mapped, heap.free.len()), (page(185), 1));
        heap.give_back(page(185)..page(200));
        assert_eq!((heap.mapped, heap.free.len()), (page(200), 0));
    }

    #[test]
    fn gaps_are_bounded_and_the_rest_can_still_be_given_back() {
        let page = |number: usize| number * PAGE;
        let mut heap = Heap::new(page(0)..page(3 * MOST_FREE));
        let start = heap.take(page(3 * MOST_FREE)).expect("all of it");
        assert_eq!(start, 0);
        for gap in 0..MOST_FREE {
            let range = page(2 * gap + 1)..page(2 * gap + 2);
            assert!(heap.has_place_for(&range));
            heap.give_back(range);
        }
        assert_eq!(heap.free.len(), MOST_FREE);
        assert!(!heap.has_place_for(&(page(2 * MOST_FREE + 1)..page(2 * MOST_FREE + 2))));
        // Beside a gap, over several of them, and at the beginning.
        for range in [page(2)..page(3), page(10)..page(20), page(0)..page(1)] {
            assert!(heap.has_place_for(&range));
            heap.give_back(range);
        }
        assert_eq!(heap.mapped, page(4));
        assert!(heap.free.len() < MOST_FREE);
    }

    /// Against a list of pages.
    #[test]
    fn what_is_taken_and_given_back_is_what_a_list_of_pages_says() {
        const PAGES: usize = 64;
        let mut used = [false; PAGES];
        let mut heap = Heap::new(0..PAGES * PAGE);
        let mut random = 1u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (random >> 33) as usize % below
        };
        for _ in 0..20_000 {
            if next(2) == 0 {
                let len = 1 + next(6);
                let Some(start) = heap.take(len * PAGE) else { continue };
                for page in &mut used[start / PAGE..start / PAGE + len] {
                    assert!(!*page, "a page is given twice");
                    *page = true;
                }
            } else {
                let first = heap.mapped / PAGE;
                if first == PAGES {
                    continue;
                }
                let start = first + next(PAGES - first);
                let end = start + 1 + next(PAGES - start);
                heap.give_back(start * PAGE..end * PAGE);
                used[start..end].fill(false);
            }
            let is_used = |page: usize| {
                page >= heap.mapped && !heap.free.iter().any(|free| free.contains(&page))
            };
            assert!((0..PAGES).all(|page| is_used(page * PAGE) == used[page]));
            let apart = |pair: &[Range<usize>]| pair[0].end < pair[1].start;
            assert!(heap.free.windows(2).all(apart), "{:?}", heap.free);
        }
    }
}
