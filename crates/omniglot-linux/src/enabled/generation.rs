//! Telling a process from its forked children, with one load.
//!
//! A page that the kernel wipes in a child (`MADV_WIPEONFORK`, Linux 4.14) holds
//! the process's generation: one more than its parent's, which ordinary memory
//! remembers.
#![allow(unsafe_code)]

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use omniglot_core::{Error, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use super::system::refused;

const PAGE: usize = 4096;

/// The word on the wiped page, which is never unmapped; null before the first question. The
/// gate's signal code reads it, too.
pub(super) static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());

/// The highest generation of this process or its ancestors.
static HIGHEST: AtomicU64 = AtomicU64::new(0);

/// This process's generation, made when asked for the first time; never 0.
pub(super) fn current() -> Result<u64> {
    let word = word()?;
    let own = word.load(Ordering::Acquire);
    if own != 0 {
        return Ok(own);
    }
    let fresh = HIGHEST.fetch_add(1, Ordering::AcqRel) + 1;
    match word.compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(fresh),
        Err(other) => Ok(other),
    }
}

/// Checks that this is the process of that generation.
#[inline]
pub(super) fn check(generation: u64) -> Result<()> {
    match known() {
        Some(word) if word.load(Ordering::Relaxed) == generation => Ok(()),
        _ => Err(Error::Forked),
    }
}

fn known() -> Option<&'static AtomicU64> {
    // SAFETY: null, or the word on a page that is never unmapped.
    unsafe { WORD.load(Ordering::Acquire).as_ref() }
}

fn word() -> Result<&'static AtomicU64> {
    if let Some(word) = known() {
        return Ok(word);
    }
    let fresh = wiped_page()?;
    let fresh_place = std::ptr::from_ref(fresh).cast_mut();
    match WORD.compare_exchange(null_mut(), fresh_place, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(fresh),
        // Another thread was faster; a page is lost.
        Err(_) => Ok(known().unwrap_or(fresh)),
    }
}

fn wiped_page() -> Result<&'static AtomicU64> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses a range that nothing else uses.
    let page = unsafe { mmap_anonymous(null_mut(), PAGE, access, MapFlags::PRIVATE) }
        .map_err(refused("a page"))?;
    // SAFETY: the page is ours alone.
    unsafe { madvise(page, PAGE, Advice::LinuxWipeOnFork) }
        .map_err(refused("a page that fork wipes (Linux 4.14)"))?;
    let word = NonNull::new(page.cast::<AtomicU64>())
        .ok_or(Error::System { operation: "a page", errno: 12 })?;
    // SAFETY: zeroed memory is an AtomicU64, pages are aligned, and this one is never unmapped.
    Ok(unsafe { word.as_ref() })
}
