//! Libraries, and code of the host's, with instructions that switch keys off.
#![allow(unsafe_code)]

use std::ffi::CString;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, IsolationKind, Result, Runtime};

use crate::attacks::home::Home;

/// A module and a test for each library.
macro_rules! gadgets {
    ($($name:ident, $library:literal, $instance:ident, $is_refused:expr;)+) => {
        $(
            #[allow(unreachable_pub)]
            mod $name {
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

/// Refused libraries say why; harmless ones work.
fn check(outcome: Result<i32>, is_refused: bool) -> std::result::Result<(), Failed> {
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
        home.trial_in("gadgets::harmless_code_loaded_later".into(), move || harmless(home), true),
    ];
    let late = late.map(|trial| trial.with_ignored_flag(only_keys));
    libraries(home).into_iter().chain(late).collect()
}

/// The host itself has such an instruction from the start.
fn before<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    load(wrpkru::DESCRIPTION.image)?;
    let outcome = home.instance::<lfence::GadgetLfence<R>>();
    check(outcome.and_then(|mut library| library.sound(2, 3)), true)
}

/// It loads one while there are domains: none of them runs any more.
fn later<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    load(across::DESCRIPTION.image)?;
    check(library.sound(2, 3), true)?;
    check(home.instance::<fxrstor::GadgetFxrstor<R>>().map(|_| 5), true)
}

/// What else it loads is looked at, and fine.
fn harmless<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    load(in_data::DESCRIPTION.image)?;
    check(library.sound(2, 3), false)
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
