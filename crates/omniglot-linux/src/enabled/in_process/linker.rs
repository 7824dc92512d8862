//! Being told by the dynamic linker before it loads or unloads anything, and after: as it tells
//! debuggers, by a call of a function that does nothing (`r_brk` of link.h). That function is
//! replaced by one of ours.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use omniglot_core::{Error, Result};

use super::{changes, patch};

/// `struct r_debug_extended` of link.h: one for each namespace, from glibc 2.35 on in a list.
#[repr(C)]
struct Debug {
    version: i32,
    map: usize,
    function: usize,
    state: i32,
    base: usize,
    /// Only if the version is 2.
    next: *const Self,
}

/// `RT_CONSISTENT`.
const CONSISTENT: i32 = 0;
const LISTED: i32 = 2;

/// What the dynamic linker tells debuggers; null before anybody asked.
static DEBUG: AtomicPtr<Debug> = AtomicPtr::new(std::ptr::null_mut());
/// Whether a change has begun, and not ended.
static IS_CHANGING: AtomicBool = AtomicBool::new(false);

/// Has the dynamic linker tell us from now on.
///
/// # Errors
/// [`Error::Unsupported`] if its function is not what we know.
pub(super) fn watch() -> Result<()> {
    static WATCHED: Mutex<bool> = Mutex::new(false);
    let mut is_watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_watched {
        return Ok(());
    }
    // SAFETY: the name ends with a NUL (invariant 12).
    let debug = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_r_debug".as_ptr()) }.cast::<Debug>();
    if debug.is_null() {
        return Err(unknown());
    }
    // SAFETY: the dynamic linker's record, which stays; this field of it never changes
    // (invariant 15).
    let function = unsafe { (*debug).function };
    if function == 0 {
        return Err(unknown());
    }
    DEBUG.store(debug, Ordering::Release);
    // SAFETY: the function of link.h, which does nothing, and in whose place debuggers run what
    // they like (invariants 15, 16).
    unsafe { patch::divert(function, on_change as *const () as usize) }?;
    *is_watched = true;
    Ok(())
}

/// Forgets a change that another thread of the parent process was about.
pub(super) fn forget() {
    IS_CHANGING.store(false, Ordering::Release);
}

pub(super) const fn unknown() -> Error {
    Error::Unsupported {
        what: "the dynamic linker does not say in a known way when it loads code",
        remedy: "use Isolation::Process",
    }
}

/// Called by the dynamic linker, with its lock held, before a change and after it.
extern "C" fn on_change() {
    if is_consistent() {
        if IS_CHANGING.swap(false, Ordering::AcqRel) {
            changes::end();
        }
    } else if !IS_CHANGING.swap(true, Ordering::AcqRel) {
        changes::begin();
    }
}

/// Whether no namespace is being changed.
fn is_consistent() -> bool {
    let mut debug = DEBUG.load(Ordering::Acquire).cast_const();
    // SAFETY: null, or the dynamic linker's records, which stay, and which it changes under the
    // lock that our caller holds (invariant 15).
    while let Some(record) = unsafe { debug.as_ref() } {
        if record.state != CONSISTENT {
            return false;
        }
        debug = if record.version >= LISTED { record.next } else { std::ptr::null() };
    }
    true
}
