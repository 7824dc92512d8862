//! Telling a process from its forked children, with one load.
//!
//! A page that the kernel wipes in a child (`MADV_WIPEONFORK`, Linux 4.14) holds the process's
//! generation: one more than its parent's, which ordinary memory keeps. It also holds the process's
//! number. A child of `vfork` is recognised by that, since it shares its parent's memory.
#![allow(unsafe_code)]

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use omniglot_core::{Error, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use super::system::refused;

const PAGE: usize = 4096;

/// The word on the wiped page, which is never unmapped; null before the first query. The gate's
/// signal code reads it, too.
pub(super) static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(null_mut());

/// The highest generation of this process or its ancestors.
static HIGHEST: AtomicU64 = AtomicU64::new(0);

/// This process's generation, made at the first query; never 0.
pub(super) fn current() -> Result<u64> {
    let word = word()?;
    let own = word.load(Ordering::Acquire);
    if own != 0 {
        return Ok(own);
    }
    note_process();
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

/// Whether the caller is a child that shares this process's memory, as one of `vfork` does until it
/// executes a program: what it does to that memory is done to its parent.
pub(super) fn is_in_parents_memory() -> bool {
    match process_word().map_or(0, |word| word.load(Ordering::Relaxed)) {
        0 => false, // nobody was told, or a child of its own memory
        owner => owner != std::process::id(),
    }
}

/// The number of the process that owns this memory: the parent's, for a child of `vfork`.
pub(super) fn process() -> u32 {
    match process_word().map_or(0, |word| word.load(Ordering::Relaxed)) {
        0 => std::process::id(),
        owner => owner,
    }
}

/// The second word of the page.
fn process_word() -> Option<&'static AtomicU32> {
    let page = WORD.load(Ordering::Acquire);
    if page.is_null() {
        return None;
    }
    // SAFETY: the page that holds the generation, which is never unmapped, has zeros or a number
    // there; the first word is of 8 bytes (invariant 13).
    unsafe { page.wrapping_add(1).cast::<AtomicU32>().as_ref() }
}

/// Records which process this is, and makes forked children do the same before they have children
/// of their own.
fn note_process() {
    static IS_KEPT: AtomicBool = AtomicBool::new(false);
    extern "C" fn note() {
        if let Some(word) = process_word() {
            word.store(std::process::id(), Ordering::Relaxed);
        }
    }
    note();
    if !IS_KEPT.swap(true, Ordering::Relaxed) {
        // If it fails for want of memory, children of forked children's `vfork` are not recognised.
        // SAFETY: a function without arguments, which stores one atomic word (invariant 12).
        unsafe { libc::pthread_atfork(None, None, Some(note)) };
    }
}

/// State that each process has of its own, although memory is copied when it forks. A forked child
/// makes a fresh one, since a lock in its parent's copy may be held by a thread that the child does
/// not have.
#[derive(Debug)]
pub(super) struct PerProcess<T: 'static>(AtomicPtr<Own<T>>);

#[derive(Debug)]
struct Own<T> {
    generation: u64,
    value: T,
}

impl<T: Send + Sync + 'static> PerProcess<T> {
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// This process's state, if it has been made. Usable in signal handlers.
    pub(super) fn known(&self) -> Option<&'static T> {
        // SAFETY: null, or what was made below, which is never given back (invariant 13).
        let own = unsafe { self.0.load(Ordering::Acquire).as_ref() }?;
        check(own.generation).is_ok().then_some(&own.value)
    }

    /// Whether that is this process's: not in a child that was forked since it was asked for, where
    /// a thread of the parent's may have its lock for ever.
    pub(super) fn is(&self, value: &T) -> bool {
        self.known().is_some_and(|own| std::ptr::eq(own, value))
    }

    /// This process's, made when asked for the first time. It stays for ever.
    ///
    /// # Errors
    /// As [`current`].
    pub(super) fn get_or(&self, make: impl FnOnce() -> T) -> Result<&'static T> {
        let generation = current()?;
        let before = self.0.load(Ordering::Acquire);
        // SAFETY: null, or what was made below, which is never given back (invariant 13).
        if let Some(own) = unsafe { before.as_ref() }.filter(|own| own.generation == generation) {
            return Ok(&own.value);
        }
        let fresh = Box::into_raw(Box::new(Own { generation, value: make() }));
        let stored = self.0.compare_exchange(before, fresh, Ordering::AcqRel, Ordering::Acquire);
        let own = match stored {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: made above; another thread was faster, so nobody else has this pointer
                // (invariant 13 is about what is stored).
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        };
        // SAFETY: made above or by that thread, of the same generation; never given back
        // (invariant 13).
        Ok(&unsafe { &*own }.value)
    }
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// The same, with the type's default value.
    ///
    /// # Errors
    /// As [`current`].
    pub(super) fn get(&self) -> Result<&'static T> {
        self.get_or(T::default)
    }
}

#[inline]
fn known() -> Option<&'static AtomicU64> {
    // SAFETY: null, or the word on a page that is never unmapped (invariant 13).
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
    // SAFETY: the kernel chooses a range that nothing else uses (invariant 2).
    let page = unsafe { mmap_anonymous(null_mut(), PAGE, access, MapFlags::PRIVATE) }
        .map_err(refused("a page"))?;
    // SAFETY: the page was just mapped, and nobody else knows it (invariant 2).
    unsafe { madvise(page, PAGE, Advice::LinuxWipeOnFork) }
        .map_err(refused("a page that fork wipes (Linux 4.14)"))?;
    let word = NonNull::new(page.cast::<AtomicU64>())
        .ok_or(Error::System { operation: "a page", errno: 12 })?;
    // SAFETY: zeroed memory is an AtomicU64, pages are aligned, and this one is never unmapped
    // (invariant 13).
    Ok(unsafe { word.as_ref() })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Whether a forked child says yes.
    pub(in crate::enabled) fn in_child(ask: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child asks and ends (invariant 12).
        let child = unsafe { libc::fork() };
        if child == 0 {
            // Otherwise a child that hangs would be waited for without end.
            // SAFETY: ends the child after a while (invariant 12).
            unsafe { libc::alarm(60) };
            let said = ask();
            // SAFETY: ends the child at once (invariant 12).
            unsafe { libc::_exit(i32::from(!said)) }
        }
        let mut status = -1;
        // SAFETY: waits for the child, and writes to `status` (invariant 12).
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        status == 0
    }

    #[test]
    fn a_lock_that_is_held_is_free_in_a_forked_child() {
        static NUMBER: PerProcess<Mutex<u32>> = PerProcess::new();
        let number = || NUMBER.get().expect("a record");
        let mut held = number().lock().expect("no panic");
        *held = 7;
        assert!(in_child(|| number().lock().is_ok_and(|fresh| *fresh == 0)));
        drop(held);
        assert_eq!(*number().lock().expect("no panic"), 7);
    }

    #[test]
    fn only_children_that_share_memory_are_in_their_parents() {
        current().expect("a generation");
        assert!(!is_in_parents_memory());
        assert_eq!(process(), std::process::id());
        let own = process();
        assert!(in_child(|| !is_in_parents_memory() && process() != own));
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        assert!(in_child_with(flags, || is_in_parents_memory() && process() == own));
        // Also if the parent is a forked child that has not yet queried its generation.
        assert!(in_child(|| in_child_with(flags, is_in_parents_memory)));
    }

    /// The same in a child made with these flags of clone(2).
    fn in_child_with<F: FnOnce() -> bool>(flags: i32, ask: F) -> bool {
        extern "C" fn start<F: FnOnce() -> bool>(ask: *mut libc::c_void) -> i32 {
            // SAFETY: the closure below, which outlives the child and is taken once (invariant 12).
            let ask = unsafe { &mut *ask.cast::<Option<F>>() }.take();
            i32::from(!ask.is_some_and(|ask| ask()))
        }
        let mut stack = vec![0u128; 8192];
        let top = stack.as_mut_ptr_range().end.cast();
        let mut ask = Some(ask);
        // SAFETY: the child evaluates the question, on a stack of its own, and ends, before this
        // returns (invariant 12).
        let child = unsafe { libc::clone(start::<F>, top, flags, (&raw mut ask).cast()) };
        let mut status = -1;
        // SAFETY: waits for the child, and writes to `status` (invariant 12).
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        status == 0
    }
}
