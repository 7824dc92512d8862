//! Notifications from the dynamic linker before and after it loads or unloads anything. It notifies
//! debuggers by calling a function that does nothing (`r_brk` of link.h). That function is replaced
//! by one of ours.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use omniglot_core::{Error, Result, Text};

use super::patch;

/// `struct r_debug_extended` of link.h: one for each namespace, from glibc 2.35 on in a list.
#[repr(C)]
struct Debug {
    version: i32,
    map: *const LinkMap,
    function: usize,
    state: i32,
    base: usize,
    /// Only if the version is 2.
    next: *const Self,
}

/// `struct link_map` of link.h: an object, in a list.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    /// Where its dynamic section is.
    dynamic: *const [usize; 2],
    next: *const Self,
}

/// `RT_CONSISTENT`.
const CONSISTENT: i32 = 0;
const LISTED: i32 = 2;

/// What the dynamic linker tells debuggers; null before anybody asked.
static DEBUG: AtomicPtr<Debug> = AtomicPtr::new(std::ptr::null_mut());
/// Whether it tells us before each change, and after.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
/// Whether a change has begun, and not ended.
static IS_CHANGING: AtomicBool = AtomicBool::new(false);

/// Finds the dynamic linker's record for debuggers. Takes its lock.
///
/// # Errors
/// [`Error::Unsupported`] if there is no record of a known form.
pub(crate) fn find() -> Result<()> {
    if !DEBUG.load(Ordering::Acquire).is_null() {
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
    Ok(())
}

/// Makes the dynamic linker call a function from now on, by the record that was found: before each
/// change and after it, with its lock held. What has happened [`noticed`] says.
///
/// One thread at a time does that. A forked child finds it done, or not begun, since it is one
/// step. If its parent was between the two, the child recognises the replaced function.
///
/// # Errors
/// [`Error::Unsupported`] if its function has an unknown form.
pub(crate) fn watch(on_change: extern "C" fn()) -> Result<()> {
    /// The function that was, or is being, replaced.
    static WATCHED: AtomicUsize = AtomicUsize::new(0);
    if is_watched() {
        return Ok(());
    }
    let debug = DEBUG.load(Ordering::Acquire);
    if debug.is_null() {
        return Err(unknown());
    }
    // SAFETY: the dynamic linker's record, which stays; this field of it never changes
    // (invariant 15).
    let function = unsafe { (*debug).function };
    if WATCHED.swap(function, Ordering::AcqRel) != function || !patch::is_diverted(function) {
        // SAFETY: the function of link.h, which does nothing, and in whose place debuggers run what
        // they like (invariants 15, 16).
        unsafe { patch::divert(function, on_change as *const () as usize, unknown()) }?;
    }
    Ok(())
}

/// Whether the dynamic linker tells us of all that is loaded and unloaded.
pub(crate) fn is_watched() -> bool {
    IS_WATCHED.load(Ordering::Acquire)
}

/// Waits until no other thread loads or unloads anything that began before [`watch`], of which
/// nobody was told. Who does has the dynamic linker's lock, which `dlsym` takes, too. With no lock
/// of ours, since he may be about to say that he is done.
pub(crate) fn wait_for_others() {
    // SAFETY: the name ends with a NUL (invariant 12).
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_r_debug".as_ptr()) };
    IS_WATCHED.store(true, Ordering::Release);
}

/// Forgets a change that another thread of the parent process was about.
pub(crate) fn forget() {
    IS_CHANGING.store(false, Ordering::Release);
}

const fn unknown() -> Error {
    Error::Unsupported {
        what: "the dynamic linker does not say in a known way when it loads code",
        remedy: "use Isolation::Process",
    }
}

/// A begin or an end of what the dynamic linker does.
pub(crate) enum Notice {
    Begins,
    Ends,
}

/// For the function that [`watch`] named, while the dynamic linker calls it: what that means, if it
/// is news.
pub(crate) fn noticed() -> Option<Notice> {
    if is_consistent() {
        IS_CHANGING.swap(false, Ordering::AcqRel).then_some(Notice::Ends)
    } else {
        (!IS_CHANGING.swap(true, Ordering::AcqRel)).then_some(Notice::Begins)
    }
}

/// Whether no namespace is being changed. For the function above.
fn is_consistent() -> bool {
    // SAFETY: the dynamic linker's lock is held by our caller's caller (invariant 15).
    unsafe { namespaces() }.all(|namespace| namespace.state == CONSISTENT)
}

/// The dynamic linker's record of each namespace.
///
/// # Safety
/// While this is used, a lock of the dynamic linker's is held.
unsafe fn namespaces() -> impl Iterator<Item = &'static Debug> {
    // SAFETY: null, or the dynamic linker's record, which stays (invariant 15); the caller's
    // promise.
    let first = unsafe { DEBUG.load(Ordering::Acquire).as_ref() };
    std::iter::successors(first, |record| {
        let next = if record.version >= LISTED { record.next } else { std::ptr::null() };
        // SAFETY: null, or the next of these records, which stay, and which the dynamic linker
        // changes under the lock that the caller speaks of (invariant 15).
        unsafe { next.as_ref() }
    })
}

/// Checks that no object has relocations of its code. The dynamic linker applies them after it has
/// announced the end of loading (glibc's `dl_open_worker`), so the code then differs from what was
/// scanned.
///
/// # Errors
/// [`Error::Load`], with the object's name.
pub(crate) fn check_relocations() -> Result<()> {
    let mut found: Option<String> = None;
    // SAFETY: calls the function with our place, which lives until then (invariant 12).
    unsafe { libc::dl_iterate_phdr(Some(look_at_all), (&raw mut found).cast()) };
    found.map_or(Ok(()), |name| {
        let name = name.rsplit('/').next().unwrap_or_default();
        Err(Error::Load(Text::from_untrusted(
            format!(
                "{name}: its code has relocations (DT_TEXTREL), which change it after it was \
                 looked at; compile it with -fPIC, or use Isolation::Process"
            )
            .as_bytes(),
        )))
    })
}

/// Called once, since it checks all objects, whatever namespace they are in.
unsafe extern "C" fn look_at_all(
    _: *mut libc::dl_phdr_info,
    _: libc::size_t,
    found: *mut c_void,
) -> libc::c_int {
    // SAFETY: `dl_iterate_phdr` holds the lock under which the lists change (invariant 15).
    for namespace in unsafe { namespaces() } {
        let mut object = namespace.map;
        // SAFETY: null, or an object of the list, which stays while the lock is held
        // (invariant 15).
        while let Some(map) = unsafe { object.as_ref() } {
            if has_text_relocations(map) && !map.name.is_null() {
                // SAFETY: the dynamic linker's text, which stays as long (invariant 15).
                let name = unsafe { CStr::from_ptr(map.name) }.to_string_lossy().into_owned();
                // SAFETY: the place that `check_relocations` named (invariant 12).
                unsafe { found.cast::<Option<String>>().write(Some(name)) };
            }
            object = map.next;
        }
    }
    1
}

fn has_text_relocations(map: &LinkMap) -> bool {
    // Of elf.h: the end, the tag, and the flag that takes its place.
    const NULL: usize = 0;
    const TEXTREL: usize = 22;
    const FLAGS: usize = 30;
    const FLAG: usize = 4;
    let mut entry = map.dynamic;
    // SAFETY: null, or the entries of an object that is loaded, which end with `DT_NULL`
    // (invariant 15).
    while let Some([tag, value]) = unsafe { entry.as_ref() } {
        match *tag {
            NULL => return false,
            TEXTREL => return true,
            FLAGS if value & FLAG != 0 => return true,
            _ => entry = entry.wrapping_add(1),
        }
    }
    false
}
