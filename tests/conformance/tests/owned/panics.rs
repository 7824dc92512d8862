//! Panics in callbacks continue in the caller, past the library's frames.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use omniglot::{Cause, Error};
use omniglot_conformance::conformance::IntCallback;

use super::{Api, instance};

/// Panics without printing a message.
fn quiet_panic() -> ! {
    resume_unwind(Box::new("on purpose"))
}

fn panic_in_callback(api: &mut Api) -> omniglot::Result<i32> {
    api.with_callback::<IntCallback, _>(&mut |_, _| quiet_panic(), |api, function| {
        api.call_int(function, 1)
    })?
}

#[test]
fn a_panic_in_a_callback_arrives_in_the_caller() {
    let mut library = instance();
    let panic = catch_unwind(AssertUnwindSafe(|| panic_in_callback(&mut library))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    assert_eq!(library.poisoned(), Some(Cause::Abandoned));
    assert_eq!(library.echo_i32(1), Err(Error::Poisoned { by: Cause::Abandoned }));
}

#[test]
fn a_panic_that_a_callback_catches_ends_only_the_nested_call() {
    let mut library = instance();
    let result = library.with_callback::<IntCallback, _>(
        &mut |api, value| {
            let caught = catch_unwind(AssertUnwindSafe(|| panic_in_callback(api)));
            assert!(caught.is_err());
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    );
    assert_eq!(result.unwrap(), Err(Error::Poisoned { by: Cause::Abandoned }));
}

#[test]
fn a_panic_in_a_nested_callback_unwinds_all_callers() {
    let mut library = instance();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        library.with_callback::<IntCallback, _>(
            &mut |api, _| Ok(panic_in_callback(api)?),
            |api, function| api.call_int(function, 1),
        )
    }));
    assert!(panic.is_err());
    assert_eq!(library.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn a_panic_in_a_scope_gives_everything_back() {
    let mut library = instance();
    let mut address = 0;
    let mut function = omniglot::FnPtr::null();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        library.scope(|scope| -> omniglot::Result<()> {
            address = scope.value(1u8)?.as_ptr().addr();
            function = scope.callback::<IntCallback>(|_, _| Ok(1))?;
            quiet_panic()
        })
    }));
    assert!(panic.is_err());
    assert_eq!(library.poisoned(), None, "no foreign code was running");
    let again = library.scope(|scope| Ok(scope.value(1u8)?.as_ptr().addr()));
    assert_eq!(again, Ok(address));
    assert!(matches!(library.call_int(function, 1), Err(Error::NoSuchCallback { .. })));
}

#[test]
fn a_panic_in_a_callbacks_body_removes_the_callback() {
    let mut library = instance();
    let mut kept = omniglot::FnPtr::null();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        library.with_callback::<IntCallback, ()>(&mut |_, _| Ok(1), |_, function| {
            kept = function;
            quiet_panic()
        })
    }));
    assert!(panic.is_err());
    assert!(matches!(library.call_int(kept, 1), Err(Error::NoSuchCallback { .. })));
}
