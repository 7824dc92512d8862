//! Protection keys: the process's keys and shared page, and what the gate needs of them.
#![allow(unsafe_code)]

use std::arch::x86_64::__cpuid_count;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omniglot_core::{Error, IsolationKind, Result};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::rand::{GetRandomFlags, getrandom};

use super::features;
use super::gadgets::changes;
use super::gate::{self, GateContext};
use super::identity::{self, Turn};
use super::threads::{Thread, last_error};
use crate::Machine;
use crate::enabled::generation::PerProcess;
use crate::enabled::layout::PAGE;
use crate::enabled::system::refused;

/// The page of tables, and a cache line for each thread's selector.
pub(super) const SHARED_SIZE: usize = PAGE + SELECTOR * super::threads::THREADS;
const SELECTOR: usize = 64;
/// Offsets in the page: PKRU of each key's domain, each window's start, and PKRU of each
/// host thread that runs one.
pub(super) const SHARED_RIGHTS: usize = 0;
pub(super) const SHARED_WINDOWS: usize = 64;
pub(super) const SHARED_HOST: usize = 192;
/// And that thread's number, or [`NOBODY`].
pub(super) const SHARED_RUNNERS: usize = 256;
/// No thread has this number.
const NOBODY: u32 = 0;

/// PKRU has two bits for each key: no access, no writing (Intel SDM volume 3, section
/// 5.6.2). Everything forbidden:
const NOTHING: u32 = u32::MAX;
/// What the kernel gives signal handlers: key 0 alone.
const DEFAULT: u32 = 0x5555_5554;

/// The random number that a jump into the signal code must know.
pub(super) static COOKIE: AtomicU64 = AtomicU64::new(0);
/// PKRU for signal handlers; 0 while the process uses no keys.
pub(super) static SIGNAL_RIGHTS: AtomicU32 = AtomicU32::new(0);
/// The context of each key's domain.
pub(super) static KEYED: [AtomicPtr<GateContext>; 16] = [const { AtomicPtr::new(null_mut()) }; 16];
/// The offset of PKRU in the kernel's frames: CPUID leaf 0DH, sub-leaf 9.
pub(super) static RIGHTS_OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Where the host writes the shared page: [`Keys::alias`], for signal handlers.
pub(super) static SHARED_ALIAS: AtomicUsize = AtomicUsize::new(0);

/// A forked child has keys of its own, and a lock that no thread of its parent's holds.
static KEYS: PerProcess<Mutex<Option<Keys>>> = PerProcess::new();
/// The key of the page that foreign code may read, which children inherit; 0 before there is one.
static SHARED_KEY: AtomicU32 = AtomicU32::new(0);

/// The process's keys and pages, made once for each generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    generation: u64,
    /// The key of the page that foreign code may read.
    shared_key: u32,
    /// Where the host writes that page.
    alias: usize,
    pub(super) features: u32,
}

/// Checks that everything is there for domains behind keys.
pub(super) fn check_support() -> Result<()> {
    check(IsolationKind::ProtectionKeys)
}

/// By the one list of requirements.
fn check(runtime: IsolationKind) -> Result<()> {
    match Machine::this().missing(runtime).first() {
        Some(missing) => {
            Err(Error::Unsupported { what: missing.lack, remedy: "use Isolation::Process" })
        }
        None => Ok(()),
    }
}

/// Whether the process has, or had, a domain behind a key.
pub(super) fn are_in_use() -> bool {
    SIGNAL_RIGHTS.load(Ordering::Acquire) != 0
}

/// Checks that nothing is missing for verified code in this process.
pub(super) fn check_plain() -> Result<()> {
    check(IsolationKind::Sfi)
}

/// Checks that nothing is missing for foreign code in this process.
pub(super) fn check_segments() -> Result<()> {
    check(IsolationKind::Unprotected)
}

impl Keys {
    /// This process's keys and pages, made at the first use.
    pub(super) fn open(generation: u64) -> Result<Self> {
        check_support()?;
        let mut keys = KEYS.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = *keys {
            return Ok(keys);
        }
        identity::forget_turns();
        changes::forget();
        // A forked child has its parent's keys, but not its parent's page. It keeps the cookie,
        // which a thread of its own may be comparing at this moment.
        let shared_key = match SHARED_KEY.load(Ordering::Acquire) {
            0 => {
                make_cookie()?;
                let fresh = allocate()?;
                SHARED_KEY.store(fresh, Ordering::Release);
                fresh
            }
            before => before,
        };
        let alias = share(shared_key)?;
        let fresh = Self { generation, shared_key, alias, features: features::features() };
        (0..16).for_each(|key| fresh.forget(key));
        SHARED_ALIAS.store(alias, Ordering::Relaxed);
        RIGHTS_OFFSET.store(__cpuid_count(0xd, 9).ebx as usize, Ordering::Relaxed);
        SIGNAL_RIGHTS.store(DEFAULT & !opened(shared_key), Ordering::Release);
        *keys = Some(fresh);
        Ok(fresh)
    }

    /// PKRU for a domain: its own key, and the shared page to read.
    const fn rights(self, key: u32) -> u32 {
        NOTHING & !opened(key) & !(1 << (2 * self.shared_key))
    }

    /// Stores a domain's rights and window for the gate.
    fn announce(self, key: u32, window: usize) {
        self.word(SHARED_RIGHTS + 4 * key as usize).store(self.rights(key), Ordering::Release);
        let [low, high] = halves(window);
        self.word(SHARED_WINDOWS + 8 * key as usize).store(low, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize + 4).store(high, Ordering::Release);
    }

    fn forget(self, key: u32) {
        self.set_runner(key, NOBODY);
        self.word(SHARED_RIGHTS + 4 * key as usize).store(NOTHING, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize).store(0, Ordering::Release);
        self.word(SHARED_WINDOWS + 8 * key as usize + 4).store(0, Ordering::Release);
    }

    /// Stores which thread runs a domain, for the gate: no other thread can enter or leave.
    #[inline]
    fn set_runner(self, key: u32, identity: u32) {
        self.word(SHARED_RUNNERS + 4 * key as usize).store(identity, Ordering::Release);
    }

    /// Stores for the gate the PKRU of the host thread that is about to enter.
    fn set_host(self, key: u32, rights: u32) {
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
        (at(gate::shared()), at(self.alias))
    }

    /// Lets the calling thread read the shared page: the kernel reads its selector there.
    pub(super) fn admit(self) {
        // SAFETY: the processor has keys, as `open` checked (invariant 17).
        let rights = unsafe { gate::rights() };
        // SAFETY: opens a key, and closes none (invariant 17).
        unsafe { gate::set_rights(rights & !opened(self.shared_key)) };
    }
}

const fn opened(key: u32) -> u32 {
    3 << (2 * key)
}

const fn halves(number: usize) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

fn make_cookie() -> Result<()> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(refused("random bytes"))?;
    COOKIE.store(u64::from_ne_bytes(bytes), Ordering::Release);
    Ok(())
}

/// Maps the shared page and the selectors twice; returns where the host writes them.
fn share(key: u32) -> Result<usize> {
    let file = memfd_create(c"omniglot-shared", MemfdFlags::CLOEXEC)
        .map_err(refused("a file in memory"))?;
    ftruncate(&file, SHARED_SIZE as u64).map_err(refused("a file in memory"))?;
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
    let alias = unsafe { mmap(null_mut(), SHARED_SIZE, both, MapFlags::SHARED, &file, 0) }
        .map_err(refused("mapping the shared page"))?;
    // SAFETY: just mapped, and nobody knows it (invariant 2).
    unsafe { keep_from_children(alias) }?;
    let place = std::ptr::with_exposed_provenance_mut::<c_void>(gate::shared());
    let flags = MapFlags::SHARED | MapFlags::FIXED;
    // SAFETY: the place is the gate's `omniglot_shared`, which is there for this and holds no
    // Rust object (invariant 13).
    unsafe { mmap(place, SHARED_SIZE, ProtFlags::READ, flags, &file, 0) }
        .map_err(refused("mapping the shared page"))?;
    // SAFETY: as above (invariant 13).
    unsafe { keep_from_children(place) }?;
    // SAFETY: the range that was just mapped, with that access (invariant 13).
    unsafe { tag(gate::shared(), SHARED_SIZE, ProtFlags::READ, key) }?;
    Ok(alias.expose_provenance())
}

/// # Safety
/// A mapping of [`SHARED_SIZE`] bytes of the caller's own, which is abandoned if this fails.
unsafe fn keep_from_children(start: *mut c_void) -> Result<()> {
    // SAFETY: the caller's own range (invariant 12); a child just lacks it (invariant 6).
    let kept = unsafe { madvise(start, SHARED_SIZE, Advice::LinuxDontFork) };
    kept.map_err(|errno| {
        // SAFETY: made by the caller, and abandoned with this error (invariant 12).
        let _ = unsafe { munmap(start, SHARED_SIZE) };
        refused("keeping the shared page from forked children")(errno)
    })
}

/// Assigns a key to a range of pages (pkey_mprotect(2)).
///
/// # Safety
/// The range is of whole pages, in a mapping of the caller's in which no Rust object lies, and
/// `access` is what may be done there anyway.
pub(super) unsafe fn tag(start: usize, len: usize, access: ProtFlags, key: u32) -> Result<()> {
    let number = libc::SYS_pkey_mprotect;
    // SAFETY: whole pages without Rust objects, whose access stays what it was, as the caller
    // promises (invariant 12).
    match unsafe { libc::syscall(number, start, len, i64::from(access.bits()), i64::from(key)) } {
        0 => Ok(()),
        _ => {
            Err(Error::System { operation: "giving memory a protection key", errno: last_error() })
        }
    }
}

/// A fresh key, to which the calling thread has no access.
fn allocate() -> Result<u32> {
    const NO_ACCESS: i64 = 1;
    // SAFETY: allocates a number, which no memory has, and takes from this thread the rights to
    // such memory (invariant 12).
    let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0i64, NO_ACCESS) };
    u32::try_from(key).map_err(|_| match last_error() {
        libc::ENOSPC => Error::NoKeyLeft,
        errno => Error::System { operation: "a protection key", errno },
    })
}

/// A domain's key. It outlives all pages that have it, so that no such page is left when the key is
/// allocated again.
#[derive(Debug)]
pub(super) struct DomainKey {
    pub(super) number: u32,
    pub(super) keys: Keys,
}

impl DomainKey {
    pub(super) fn allocate(generation: u64) -> Result<Self> {
        let keys = Keys::open(generation)?;
        Ok(Self { number: allocate()?, keys })
    }

    /// Stores where the key's domain is for the gate, and what the gate needs in the context.
    pub(super) fn announce(&self, context: &Arc<GateContext>, window: usize) {
        self.keys.announce(self.number, window);
        self.set_crossing(Arc::as_ptr(context).cast_mut());
        context.key.store(self.number, Ordering::Relaxed);
        context.foreign_rights.store(self.keys.rights(self.number), Ordering::Relaxed);
        context.features.fetch_or(self.keys.features, Ordering::Relaxed);
    }

    /// Stores for the gate the PKRU of the host thread that is about to enter.
    pub(super) fn set_host(&self, rights: u32) {
        self.keys.set_host(self.number, rights);
    }

    /// The calling thread is about to enter the domain; none if it must not, since what the
    /// process can execute has changed, or this is a forked child.
    #[inline]
    pub(super) fn run_on(&self, thread: &Thread, generation: u64) -> Option<Runs<'_>> {
        let identity = thread.identity();
        let turn = Turn::take_if_needed(identity, generation).ok()?;
        // With the turn: else who has it would be stopped, and this thread wait for it.
        if !changes::enter(self.number, thread.id(), generation) {
            return None;
        }
        self.keys.set_runner(self.number, identity);
        Some(Runs { key: self, _turn: turn })
    }

    fn set_crossing(&self, context: *mut GateContext) {
        if let Some(place) = KEYED.get(self.number as usize) {
            place.store(context, Ordering::Release);
        }
    }
}

impl Drop for DomainKey {
    fn drop(&mut self) {
        if crate::enabled::generation::check(self.keys.generation).is_ok() {
            self.keys.forget(self.number);
            self.set_crossing(null_mut());
        }
        // SAFETY: no page has the key any more: the domain's pages are gone (invariant 10).
        unsafe { libc::syscall(libc::SYS_pkey_free, i64::from(self.number)) };
    }
}

/// While it lives, its thread runs a domain, and the gate lets it in and out.
#[derive(Debug)]
pub(super) struct Runs<'a> {
    key: &'a DomainKey,
    /// Released after the gate no longer knows the thread.
    _turn: Option<Turn>,
}

impl Drop for Runs<'_> {
    #[inline]
    fn drop(&mut self) {
        self.key.keys.set_runner(self.key.number, NOBODY);
        changes::leave(self.key.number);
    }
}
