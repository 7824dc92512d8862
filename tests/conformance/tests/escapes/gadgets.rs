//! Libraries and code of the host with instructions that can change protection keys.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::null_mut;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, IsolationKind, Result, Runtime};

use crate::attacks::home::Home;

/// Declares a module and a test for each library.
macro_rules! gadgets {
    ($($name:ident, $library:literal, $instance:ident, $is_refused:expr;)+) => {
        $(
            #[allow(unreachable_pub)]
            pub(super) mod $name {
                omniglot::include_library!($library);
            }
        )+

        fn libraries<R: Runtime>(home: Home<R>) -> Vec<Trial> {
            vec![$(home.trial(format!("gadgets::{}", stringify!($name)), move || {
                let outcome = home.instance::<$name::$instance<R>>();
                let is_refused = $is_refused && home.isolation == IsolationKind::ProtectionKeys;
                check(outcome.and_then(|mut library| library.sound(2, 3)), is_refused)
            })),+]
        }
    };
}

gadgets! {
    wrpkru, "gadget_wrpkru", GadgetWrpkru, true;
    xrstor, "gadget_xrstor", GadgetXrstor, true;
    xrstor64, "gadget_xrstor64", GadgetXrstor64, true;
    xrstor_far, "gadget_xrstor_far", GadgetXrstorFar, true;
    hidden, "gadget_hidden", GadgetHidden, true;
    across, "gadget_across", GadgetAcross, true;
    across_pages, "gadget_across_pages", GadgetAcrossPages, true;
    xrstor_across, "gadget_xrstor_across", GadgetXrstorAcross, true;
    lfence, "gadget_lfence", GadgetLfence, false;
    fxrstor, "gadget_fxrstor", GadgetFxrstor, false;
    in_data, "gadget_in_data", GadgetInData, false;
}

/// Checks that a refused library's error says why, or that a harmless library works.
pub(super) fn check(outcome: Result<i32>, is_refused: bool) -> std::result::Result<(), Failed> {
    match (outcome, is_refused) {
        (Ok(5), false) | (Err(Error::Load(_) | Error::Unsupported { .. }), true) => Ok(()),
        (other, _) => Err(format!("{other:?}").into()),
    }
}

pub(crate) fn trials<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let only_keys = home.isolation != IsolationKind::ProtectionKeys;
    let late = [
        home.trial_in("gadgets::loaded_by_the_host_before".into(), move || before(home), true),
        home.trial_in("gadgets::loaded_by_the_host_later".into(), move || later(home), true),
        home.trial_in(
            "gadgets::accidental_ones_of_the_host".into(),
            move || accidental(home),
            true,
        ),
        home.trial_in("gadgets::across_mappings_of_the_host".into(), move || halves(home), true),
        home.trial_in("gadgets::writable_code_of_the_host".into(), move || writable(home), true),
        home.trial_in("gadgets::harmless_code_loaded_later".into(), move || harmless(home), true),
    ];
    let late = late.map(|trial| trial.with_ignored_flag(only_keys));
    libraries(home).into_iter().chain(late).collect()
}

/// The host has such an instruction before any domain exists.
fn before<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    load(wrpkru::DESCRIPTION.image)?;
    let outcome = home.instance::<lfence::GadgetLfence<R>>();
    check(outcome.and_then(|mut library| library.sound(2, 3)), true)
}

/// The host loads such an instruction while there are domains: none of them may run any more.
fn later<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    load(xrstor::DESCRIPTION.image)?;
    check(library.sound(2, 3), true)?;
    check(home.instance::<fxrstor::GadgetFxrstor<R>>().map(|_| 5), true)
}

/// The host loads harmless code, which is scanned and accepted.
fn harmless<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    load(in_data::DESCRIPTION.image)?;
    check(library.sound(2, 3), false)
}

/// A gadget that occurs by accident is rewritten.
fn accidental<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    load(hidden::DESCRIPTION.image)?;
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    for image in [
        across::DESCRIPTION.image,
        across_pages::DESCRIPTION.image,
        xrstor_across::DESCRIPTION.image,
    ] {
        load(image)?;
        check(library.sound(2, 3), false)?;
    }
    Ok(())
}

/// One half of a gadget exists already, and has been scanned; the host maps the other half.
fn halves<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let (mut first, mut second) = ([0x90; PAGE], [0x90; PAGE]);
    first[PAGE - 2..].copy_from_slice(&[0x0f, 0x01]);
    second[0] = 0xef;
    let start = map_code(None, &first)?;
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    // The dynamic linker takes no part: after it loads something, all code is scanned again.
    map_code(Some(start + PAGE), &second)?;
    check(library.sound(2, 3), true)
}

/// Memory that is both writable and executable can contain any instruction at any time.
fn writable<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    map(None, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, None)?;
    let outcome = home.instance::<lfence::GadgetLfence<R>>();
    check(outcome.and_then(|mut library| library.sound(2, 3)), true)
}

pub(super) const PAGE: usize = 4096;

/// Maps a page of code of the host, from its own file, so that it is a mapping of its own.
fn map_code(at: Option<usize>, bytes: &[u8]) -> std::result::Result<usize, Failed> {
    let name = format!("omniglot-half-{}-{}", std::process::id(), at.is_some());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes)?;
    let file = std::fs::File::open(&path)?;
    std::fs::remove_file(&path)?;
    map(at, libc::PROT_READ | libc::PROT_EXEC, Some(&file))
}

/// Maps memory that is never unmapped. If any address will do, there is room after it.
fn map(
    at: Option<usize>,
    access: i32,
    file: Option<&std::fs::File>,
) -> std::result::Result<usize, Failed> {
    use std::os::fd::AsRawFd;
    let private = libc::MAP_PRIVATE;
    // SAFETY: the kernel chooses an unused range.
    let room = unsafe { libc::mmap(null_mut(), 2 * PAGE, 0, private | libc::MAP_ANONYMOUS, -1, 0) };
    let place = at.map_or(room, std::ptr::with_exposed_provenance_mut);
    let flags = if file.is_some() { 0 } else { libc::MAP_ANONYMOUS };
    let descriptor = file.map_or(-1, AsRawFd::as_raw_fd);
    // SAFETY: the page is in such a range, and nothing else uses it.
    let page = unsafe {
        libc::mmap(place, PAGE, access, private | flags | libc::MAP_FIXED, descriptor, 0)
    };
    if page == libc::MAP_FAILED { Err("a page of code".into()) } else { Ok(page.addr()) }
}

/// Loads a shared object into the host, for ever.
fn load(image: &[u8]) -> std::result::Result<(), Failed> {
    let path = std::env::temp_dir().join(format!("omniglot-gadget-{}.so", std::process::id()));
    std::fs::write(&path, image)?;
    let name = CString::new(path.to_string_lossy().into_owned())?;
    // SAFETY: the object's initialisers do nothing.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY) };
    std::fs::remove_file(&path)?;
    if handle.is_null() { Err("the host cannot load the library".into()) } else { Ok(()) }
}
