//! Protection keys: makes the process's shared page, and the key of each domain.
#![allow(unsafe_code)]

use std::arch::x86_64::__cpuid_count;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omniglot_core::{Error, IsolationKind, Result};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::rand::{GetRandomFlags, getrandom};

use super::context::GateContext;
use super::features;
use super::frame::RIGHTS_OFFSET;
use super::gadgets::{changes, linker};
use super::identity::{self, Turn};
use super::places;
use super::shared_page::{
    COOKIE, KEYED, NOBODY, SHARED_ALIAS, SHARED_SIZE, SIGNAL_RIGHTS, SharedPage, opened,
};
use super::threads::Thread;
use crate::capabilities::machine::Machine;
use crate::enabled::generation::PerProcess;
use crate::enabled::system::{last_error, refused};

/// What the kernel gives signal handlers: key 0 alone.
const DEFAULT: u32 = 0x5555_5554;

/// A forked child has a page of its own, and a lock that no thread of its parent's holds.
static SHARED_PAGE: PerProcess<Mutex<Option<SharedPage>>> = PerProcess::new();
/// The key of the page that foreign code may read, which children inherit; 0 before there is one.
static SHARED_KEY: AtomicU32 = AtomicU32::new(0);

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

/// Checks that nothing is missing for verified code in this process.
pub(super) fn check_plain() -> Result<()> {
    check(IsolationKind::Sfi)
}

/// Checks that nothing is missing for foreign code in this process.
pub(super) fn check_segments() -> Result<()> {
    check(IsolationKind::Unprotected)
}

/// This process's shared page, made at the first use.
fn open(generation: u64) -> Result<SharedPage> {
    check_support()?;
    let mut page = SHARED_PAGE.get()?.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(page) = *page {
        return Ok(page);
    }
    identity::forget_turns();
    linker::forget();
    changes::forget();
    // A forked child has its parent's keys, but not its parent's page. It keeps the cookie,
    // which a thread of its own may be comparing at this moment.
    let key = match SHARED_KEY.load(Ordering::Acquire) {
        0 => {
            make_cookie()?;
            let fresh = allocate()?;
            SHARED_KEY.store(fresh, Ordering::Release);
            fresh
        }
        before => before,
    };
    let alias = share(key)?;
    let fresh = SharedPage { generation, key, alias };
    (0..16).for_each(|key| fresh.forget(key));
    SHARED_ALIAS.store(alias, Ordering::Relaxed);
    RIGHTS_OFFSET.store(__cpuid_count(0xd, 9).ebx as usize, Ordering::Relaxed);
    SIGNAL_RIGHTS.store(DEFAULT & !opened(key), Ordering::Release);
    *page = Some(fresh);
    Ok(fresh)
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
    let place = std::ptr::with_exposed_provenance_mut::<c_void>(places::shared());
    let flags = MapFlags::SHARED | MapFlags::FIXED;
    // SAFETY: the place is the gate's `omniglot_shared`, which is there for this and holds no
    // Rust object (invariant 13).
    unsafe { mmap(place, SHARED_SIZE, ProtFlags::READ, flags, &file, 0) }
        .map_err(refused("mapping the shared page"))?;
    // SAFETY: as above (invariant 13).
    unsafe { keep_from_children(place) }?;
    // SAFETY: the range that was just mapped, with that access (invariant 13).
    unsafe { tag(places::shared(), SHARED_SIZE, ProtFlags::READ, key) }?;
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
    pub(super) page: SharedPage,
}

impl DomainKey {
    pub(super) fn allocate(generation: u64) -> Result<Self> {
        let page = open(generation)?;
        Ok(Self { number: allocate()?, page })
    }

    /// Stores where the key's domain is for the gate, and what the gate needs in the context.
    pub(super) fn announce(&self, context: &Arc<GateContext>, window: usize) {
        self.page.announce(self.number, window);
        self.set_crossing(Arc::as_ptr(context).cast_mut());
        context.key.store(self.number, Ordering::Relaxed);
        context.foreign_rights.store(self.page.rights(self.number), Ordering::Relaxed);
        context.features.fetch_or(features::features(), Ordering::Relaxed);
    }

    /// Stores for the gate the PKRU of the host thread that is about to enter.
    pub(super) fn set_host(&self, rights: u32) {
        self.page.set_host(self.number, rights);
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
        self.page.set_runner(self.number, identity);
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
        if crate::enabled::generation::check(self.page.generation).is_ok() {
            self.page.forget(self.number);
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
        self.key.page.set_runner(self.key.number, NOBODY);
        changes::leave(self.key.number);
    }
}
