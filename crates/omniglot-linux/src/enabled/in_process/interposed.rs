//! The functions of the C library that this crate defines for the whole program.
//!
//! The program uses them only if the crate is part of the program itself. The definitions of a
//! library that is opened later come after the C library's, and then the host's actions would go
//! unnoticed.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;

use super::gadgets::executable;
use super::{sigmask, signals, threads};

/// Their names and places.
fn all() -> impl Iterator<Item = (&'static CStr, *const ())> {
    let signals = signals::interposed().into_iter().chain(sigmask::interposed());
    signals.chain(threads::interposed()).chain(executable::interposed())
}

/// Whether the program uses our functions: the ones that it finds are in the object that this code
/// is in. The functions' own addresses do not tell that, since in a library these resolve to what
/// the program finds, too.
pub(crate) fn are_the_programs() -> bool {
    let own_object = object_of(are_the_programs as *const ());
    all().all(|(name, own)| {
        // SAFETY: the name ends with a NUL (invariant 12).
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        // Naming the function here keeps it in the program.
        !own.is_null() && own_object.is_some() && object_of(found.cast()) == own_object
    })
}

/// The start of the program or library that contains an address.
fn object_of(address: *const ()) -> Option<usize> {
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address can be asked about; the place has room for the answer (invariant 12).
    let known = unsafe { libc::dladdr(address.cast(), found.as_mut_ptr()) };
    // SAFETY: zeros are a value of the type, and the call wrote another (invariant 12).
    (known != 0).then(|| unsafe { found.assume_init() }.dli_fbase.addr())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of all functions in these sources that are defined for the program.
    fn defined() -> BTreeSet<String> {
        let sources = [
            include_str!("signals.rs"),
            include_str!("sigmask.rs"),
            include_str!("threads.rs"),
            include_str!("gadgets/executable.rs"),
        ];
        let after = |source: &'static str| {
            source.split("#[unsafe(no_mangle)]\n").skip(1).filter_map(|rest| {
                rest.split_once(" fn ")?.1.split_once('(').map(|(name, _)| name.to_owned())
            })
        };
        sources.into_iter().flat_map(after).collect()
    }

    #[test]
    fn each_function_that_is_defined_for_the_program_is_in_the_list() {
        let listed: BTreeSet<_> =
            all().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert_eq!(listed, defined());
        assert!(listed.len() > 10, "{listed:?}");
    }

    #[test]
    fn they_are_this_programs() {
        assert!(are_the_programs());
    }
}
