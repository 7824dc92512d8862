//! Analyses which entries into foreign code need the domain's FS base.
//!
//! Loading another FS base and restoring the host's takes longer than everything else that the gate
//! does. Code that uses no thread-local variables runs with the host's: the functions of a small
//! library, and those of a large one that only look something up.
//!
//! The first call of a function analyses its code. For code that keeps to the ABI the answer is
//! right. Other code gains nothing: behind a key it cannot read what the host's FS base points to,
//! it can change its FS base in any case, and the gate restores the host's.

use std::collections::HashMap;

use omniglot_core::Window;
use omniglot_scan::{LoadedCode, spares_thread_pointer};

use super::memory::Memory;

/// How many answers are cached for lookup without a search.
const RECENT: usize = 64;

/// The results for a domain's entries.
#[derive(Debug)]
pub(super) struct FsBaseAnalysis {
    /// Indexed by the entry's address: each holds that address and, in the bits above a user
    /// address, the answer.
    recent: [usize; RECENT],
    known: HashMap<usize, bool>,
}

impl FsBaseAnalysis {
    pub(super) fn new() -> Self {
        Self { recent: [0; RECENT], known: HashMap::new() }
    }

    /// Whether code that starts there needs the domain's FS base.
    #[inline]
    pub(super) fn need_thread_pointer(
        &mut self,
        entry: usize,
        memory: &Memory,
        window: &Window,
    ) -> bool {
        let recent = self.recent.get(place(entry)).copied().unwrap_or(0);
        if recent >> 1 == entry && entry != 0 {
            return recent & 1 != 0;
        }
        self.search(entry, memory, window)
    }

    #[cold]
    fn search(&mut self, entry: usize, memory: &Memory, window: &Window) -> bool {
        let code = Code { memory, window };
        let needs =
            *self.known.entry(entry).or_insert_with(|| !spares_thread_pointer(&code, entry as u64));
        // A wrong answer has foreign code write to the host's thread-local variables, which only a
        // protection key keeps it from. A test that changes what is read here must not believe it.
        let needs = needs || cfg!(omniglot_faults);
        if entry <= usize::MAX >> 1
            && let Some(recent) = self.recent.get_mut(place(entry))
        {
            *recent = entry << 1 | usize::from(needs);
        }
        needs
    }
}

/// Compilers align functions to 16 bytes.
const fn place(entry: usize) -> usize {
    (entry >> 4) % RECENT
}

/// A domain's memory, as the analysis reads it.
struct Code<'a> {
    memory: &'a Memory,
    window: &'a Window,
}

impl LoadedCode for Code<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> usize {
        let end = self.window.start() + self.window.len();
        let count = end.saturating_sub(address as usize).min(into.len());
        let Some(into) = into.get_mut(..count) else { return 0 };
        self.window.read(address as usize, into).map_or(0, |()| count)
    }

    fn constant(&self, address: u64) -> Option<u64> {
        let mut word = [0; size_of::<u64>()];
        // A word of which any byte is writable does not count as constant.
        if self.memory.overlaps_writable(address as usize, word.len()) {
            return None;
        }
        self.window.read(address as usize, &mut word).ok()?;
        Some(u64::from_ne_bytes(word))
    }
}
