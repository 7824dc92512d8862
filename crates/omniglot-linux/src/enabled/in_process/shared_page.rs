//! The page that foreign code may read and only the host writes: by its tables the gate decides who
//! enters and leaves domains behind keys, and behind it lies each thread's selector.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::context::GateContext;
use super::places;
use crate::enabled::layout::PAGE;

/// How many living threads can have entered foreign code.
pub(super) const THREADS: usize = 4096;
/// The page of tables, and a cache line for each thread's selector.
pub(super) const SHARED_SIZE: usize = PAGE + SELECTOR * THREADS;
const SELECTOR: usize = 64;
/// Offsets in the page: PKRU of each key's domain, each window's start, and PKRU of each
/// host thread that runs one.
pub(super) const SHARED_RIGHTS: usize = 0;
pub(super) const SHARED_WINDOWS: usize = 64;
pub(super) const SHARED_HOST: usize = 192;
/// And that thread's number, or [`NOBODY`].
pub(super) const SHARED_RUNNERS: usize = 256;
/// No thread has this number.
pub(super) const NOBODY: u32 = 0;

/// PKRU has two bits for each key: no access, no writing (Intel SDM volume 3, section
/// 5.6.2). Everything forbidden:
const NOTHING: u32 = u32::MAX;

/// The random number that a jump into the signal code must know.
pub(super) static COOKIE: AtomicU64 = AtomicU64::new(0);
/// PKRU for signal handlers; 0 while the process uses no keys.
pub(super) static SIGNAL_RIGHTS: AtomicU32 = AtomicU32::new(0);
/// The context of each key's domain.
pub(super) static KEYED: [AtomicPtr<GateContext>; 16] = [const { AtomicPtr::new(null_mut()) }; 16];
/// Where the host writes the shared page: [`SharedPage::alias`], for signal handlers.
pub(super) static SHARED_ALIAS: AtomicUsize = AtomicUsize::new(0);

/// The process's page, made once for each generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedPage {
    pub(super) generation: u64,
    /// The page's key, which every domain may read.
    pub(super) key: u32,
    /// Where the host writes the page.
    pub(super) alias: usize,
}

/// Whether the process has, or had, a domain behind a key.
pub(super) fn are_in_use() -> bool {
    SIGNAL_RIGHTS.load(Ordering::Acquire) != 0
}

impl SharedPage {
    /// PKRU for a domain: its own key, and the shared page to read.
    pub(super) const fn rights(self, key: u32) -> u32 {
        NOTHING & !opened(key) & !(1 << (2 * self.key))
    }

    /// Stores a domain's rights and window for the gate.
    pub(super) fn announce(self, key: u32, window: usize) {
        self.word(SHARED_RIGHTS + 4 * key as usize).store(self.rights(key), Ordering::Release);
        let [low, high] = halves(window);
        self.word(SHARED_WINDOWS + 8 * key as usize).store(low, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize + 4).store(high, Ordering::Release);
    }

    pub(super) fn forget(self, key: u32) {
        self.set_runner(key, NOBODY);
        self.word(SHARED_RIGHTS + 4 * key as usize).store(NOTHING, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize).store(0, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize + 4).store(0, Ordering::Release);
    }

    /// Stores which thread runs a domain, for the gate: no other thread can enter or leave.
    #[inline]
    pub(super) fn set_runner(self, key: u32, identity: u32) {
        self.word(SHARED_RUNNERS + 4 * key as usize).store(identity, Ordering::Release);
    }

    /// Stores for the gate the PKRU of the host thread that is about to enter.
    pub(super) fn set_host(self, key: u32, rights: u32) {
        self.word(SHARED_HOST + 4 * key as usize).store(rights, Ordering::Release);
    }

    fn word(self, offset: usize) -> &'static AtomicU32 {
        let word = std::ptr::with_exposed_provenance::<AtomicU32>(self.alias + offset);
        // SAFETY: the alias is mapped for as long as its process lives, page-aligned, and
        // holds nothing but such words; `offset` is one of those above (invariant 13).
        unsafe { &*word }
    }

    /// A thread's selector: where the kernel and foreign code read it, and where the host
    /// writes it.
    pub(super) fn selector(self, index: usize) -> (*mut u8, *mut u8) {
        let offset = PAGE + SELECTOR * index;
        let at = |start: usize| std::ptr::with_exposed_provenance_mut(start + offset);
        (at(places::shared()), at(self.alias))
    }

    /// Lets the calling thread read the shared page: the kernel reads its selector there.
    pub(super) fn admit(self) {
        // SAFETY: the processor has keys, as was checked before the page was made (invariant 17).
        let rights = unsafe { places::rights() };
        // SAFETY: opens a key, and closes none (invariant 17).
        unsafe { places::set_rights(rights & !opened(self.key)) };
    }
}

/// The bits of a key in PKRU.
pub(super) const fn opened(key: u32) -> u32 {
    3 << (2 * key)
}

const fn halves(number: usize) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}
