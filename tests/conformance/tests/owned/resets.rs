//! Resetting an instance: no earlier data remains. The cases work for every runtime: implement
//! [`Place`] for a type, and write `reset_cases!(module, Type);`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use memchr::memmem::Finder;
use omniglot::{Cause, Error, Escape, ForeignBox, Ptr, Result, Runtime};
use omniglot_conformance::conformance::{Api, Conformance, IntCallback};

use super::hostile::{self, Hostile, Way};

/// Makes instances of a runtime.
pub(super) trait Place {
    type Runtime: Runtime;
    fn conformance() -> Conformance<Self::Runtime>;
    fn hostile() -> Hostile<Self::Runtime>;
    fn interrupt(handle: &<Self::Runtime as Runtime>::InterruptHandle);
}

/// Makes a test of each case.
macro_rules! reset_cases {
    ($module:ident, $place:ident) => {
        mod $module {
            use super::$place;
            use super::resets as cases;

            reset_cases!(@each $place:
                globals_and_error_number_are_as_after_loading,
                references_of_before_are_refused,
                boxes_of_before_give_nothing_back,
                closures_of_before_are_dropped,
                handles_of_before_remove_nothing,
                every_kind_of_poison_is_cleared,
                what_ends_the_process_is_cleared,
                nothing_of_before_is_readable,
                the_time_limit_stays,
                interrupt_handles_stay_valid,
                interruptions_of_before_hit_no_call,
                an_instance_is_reset_again_and_again,
            );
        }
    };
    (@each $place:ident: $($case:ident),+ $(,)?) => {
        $(#[test]
        fn $case() {
            cases::$case::<$place>();
        })+
    };
}

fn works<R: Runtime>(library: &mut Conformance<R>) {
    assert_eq!(library.poisoned(), None);
    assert_eq!(library.echo_i32(7), Ok(7));
    let numbers = library.alloc_slice(&[1, 2, 3]).unwrap();
    assert_eq!(library.sum(&numbers, 3), Ok(6));
}

pub(super) fn globals_and_error_number_are_as_after_loading<P: Place>() {
    let mut library = P::conformance();
    assert_eq!([library.count_once(), library.count_once()], [Ok(5), Ok(6)]);
    library.fail_with(33).unwrap();
    library.reset().unwrap();
    assert_eq!(library.errno(), 0);
    assert_eq!(library.count_once(), Ok(5));
    works(&mut library);
}

pub(super) fn references_of_before_are_refused<P: Place>() {
    let mut library = P::conformance();
    let address = library.address_of_counter().unwrap();
    let (reading, writing) =
        (library.upgrade(address).unwrap(), library.upgrade_mut(address).unwrap());
    let slice = library.upgrade_slice(address, 1).unwrap();
    let boxed = library.alloc_slice(&[1, 2, 3]).unwrap();
    library.reset().unwrap();
    let refused = [
        library.read(reading).map(drop),
        library.read_int(reading).map(drop),
        library.write(writing, 1),
        library.write_int(writing, 1),
        library.view_slice(slice).map(drop),
        library.read_into(&boxed, &mut [0; 3]),
        library.sum(&boxed, 3).map(drop),
        library.free(&boxed),
    ];
    assert!(refused.iter().all(|result| *result == Err(Error::WrongInstance)), "{refused:?}");
    works(&mut library);
}

pub(super) fn boxes_of_before_give_nothing_back<P: Place>() {
    let mut library = P::conformance();
    let old: Vec<ForeignBox<[u8]>> = (0..8).map(|_| library.alloc_zeroed(4096).unwrap()).collect();
    library.reset().unwrap();
    let new: Vec<_> =
        (0..8u8).map(|number| library.alloc_slice(&[number; 4096]).unwrap()).collect();
    drop(old);
    let more = library.alloc_slice(&[0xff_u8; 4096 * 8]).unwrap();
    for (number, bytes) in (0..8).zip(&new) {
        assert_eq!(library.count_bytes(bytes, 4096, number), Ok(4096), "nobody else has it");
    }
    drop(more);
}

/// Returns a closure that holds a reference to `alive`.
fn answering<A: ?Sized>(
    alive: Arc<()>,
    answer: i32,
) -> impl FnMut(&mut A, i32) -> Result<i32, Escape> + Send + 'static {
    move |_, _| {
        let _alive = &alive;
        Ok(answer)
    }
}

pub(super) fn closures_of_before_are_dropped<P: Place>() {
    let mut library = P::conformance();
    let alive = Arc::new(());
    let handle = library.register::<IntCallback>(answering(Arc::clone(&alive), 1)).unwrap();
    library.keep_callback(handle.function()).unwrap();
    library.reset().unwrap();
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(library.kept_callback().unwrap().is_null(), "the library forgot it, too");
    drop(handle);
    works(&mut library);
}

pub(super) fn handles_of_before_remove_nothing<P: Place>() {
    let mut library = P::conformance();
    let old = library.register::<IntCallback>(answering(Arc::default(), 1)).unwrap();
    library.reset().unwrap();
    let new = library.register::<IntCallback>(answering(Arc::default(), 2)).unwrap();
    drop(old);
    assert_eq!(library.call_int(new.function(), 0), Ok(2));
}

/// Ignores the error of a call that must fail.
fn ignore<T>(failed: Result<T>) {
    assert!(failed.is_err());
}

fn panic_in_callback<R: Runtime>(api: &mut Api<R>) -> Result<i32> {
    api.with_callback::<IntCallback, _>(
        &mut |_, _| resume_unwind(Box::new("on purpose")),
        |api, function| api.call_int(function, 1),
    )?
}

fn abandon<R: Runtime>(api: &mut Api<R>) -> Result<i32> {
    api.with_callback::<IntCallback, _>(&mut |_, _| Err(Escape::Abandon), |api, function| {
        api.call_int(function, 1)
    })?
}

pub(super) fn every_kind_of_poison_is_cleared<P: Place>() {
    type Poisoning<R> = fn(&mut Api<R>);
    let limit = Duration::from_millis(50);
    let poisonings: [(Cause, Poisoning<P::Runtime>); 6] = [
        (Cause::Fault, |api| ignore(api.trap())),
        (Cause::Fault, |api| ignore(api.overflow_stack())),
        (Cause::Timeout, |api| ignore(api.loop_forever())),
        (Cause::Abandoned, |api| ignore(abandon(api))),
        (Cause::Abandoned, |api| {
            let panic = catch_unwind(AssertUnwindSafe(|| panic_in_callback(api)));
            assert!(panic.is_err());
        }),
        (Cause::Abandoned, |api| {
            let dead = api.register::<IntCallback>(|_, _| Ok(0)).unwrap().function();
            assert!(api.call_int(dead, 1).is_err());
        }),
    ];
    if !P::Runtime::GUARANTEES.containment {
        return;
    }
    let mut library = P::conformance();
    for (cause, poison) in poisonings {
        library.set_timeout(matches!(cause, Cause::Timeout).then_some(limit));
        poison(&mut library);
        assert_eq!(library.poisoned(), Some(cause));
        assert_eq!(library.echo_i32(1), Err(Error::Poisoned { by: cause }));
        library.set_timeout(None);
        library.reset().unwrap();
        works(&mut library);
    }
}

pub(super) fn what_ends_the_process_is_cleared<P: Place>() {
    if !P::Runtime::GUARANTEES.containment {
        return;
    }
    type Poisoning<R> = fn(&mut hostile::Api<R>);
    let poisonings: [(Cause, Poisoning<P::Runtime>); 3] = [
        (Cause::Exited, |api| ignore(api.leave(Way::BY_EXIT, 3))),
        (Cause::SyscallDenied, |api| ignore(api.try_socket(1, 1))),
        (Cause::Fault, |api| ignore(api.recurse())),
    ];
    let mut library = P::hostile();
    for (cause, poison) in poisonings {
        poison(&mut library);
        assert_eq!(library.poisoned(), Some(cause));
        library.reset().unwrap();
        assert_eq!((library.poisoned(), library.add(2, 3)), (None, Ok(5)));
    }
}

const SECRET: &[u8; 30] = b"\x91the secret of the job before\x92";

/// Counts how often the bytes occur in all of the library's memory.
pub(super) fn count_in_window<R: Runtime>(library: &Conformance<R>, what: &[u8]) -> usize {
    const CHUNK: usize = 1 << 20;
    let window = library.runtime().window();
    let finder = Finder::new(what);
    let mut bytes = vec![0; CHUNK + what.len() - 1];
    let steps = (0..window.len()).step_by(CHUNK);
    let counts = steps.map(|offset| {
        let len = bytes.len().min(window.len() - offset);
        window.read(window.start() + offset, &mut bytes[..len]).unwrap();
        finder.find_iter(&bytes[..len]).count()
    });
    counts.sum()
}

/// Leaves the secret wherever host and library can.
fn spread_secret<R: Runtime>(library: &mut Conformance<R>) {
    let boxed = library.alloc_slice(SECRET).unwrap();
    library.remember(&boxed, SECRET.len()).unwrap();
    let heap = library.malloc::<u8>(SECRET.len()).unwrap();
    library.write_slice(heap, SECRET).unwrap();
    library.scope(|scope| scope.copy_in(SECRET).map(drop)).unwrap();
}

pub(super) fn nothing_of_before_is_readable<P: Place>() {
    let mut library = P::conformance();
    assert_eq!(count_in_window(&library, SECRET), 0);
    spread_secret(&mut library);
    let places = count_in_window(&library, SECRET);
    assert!(places >= 6, "box, temporary, heap twice, stack, global: found {places}");
    assert_eq!(library.recall(0), Ok(SECRET[0]));
    library.reset().unwrap();
    assert_eq!(library.recall(0), Ok(0));
    assert_eq!(count_in_window(&library, SECRET), 0);
    assert_eq!(count_in_window(&library, &SECRET[..12]), 0, "no part of it either");
    works(&mut library);
}

pub(super) fn the_time_limit_stays<P: Place>() {
    if !P::Runtime::GUARANTEES.containment {
        return;
    }
    let limit = Duration::from_millis(50);
    let mut library = P::conformance();
    library.set_timeout(Some(limit));
    for _ in 0..2 {
        assert_eq!(library.loop_forever(), Err(Error::Timeout { limit }));
        library.reset().unwrap();
    }
    works(&mut library);
}

pub(super) fn interrupt_handles_stay_valid<P: Place>() {
    if !P::Runtime::GUARANTEES.containment {
        return;
    }
    let mut library = P::conformance();
    let handle = library.interrupt_handle();
    library.reset().unwrap();
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            // An interruption before the call has begun has no effect, so it is repeated.
            while !done.load(Ordering::Relaxed) {
                P::interrupt(&handle);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let result = library.loop_forever();
        done.store(true, Ordering::Relaxed);
        result
    });
    assert_eq!(result, Err(Error::Interrupted));
    library.reset().unwrap();
    works(&mut library);
}

pub(super) fn interruptions_of_before_hit_no_call<P: Place>() {
    let mut library = P::conformance();
    let handle = library.interrupt_handle();
    let result = library.with_callback::<IntCallback, _>(
        &mut |_, value| {
            P::interrupt(&handle);
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    );
    assert_eq!(result.unwrap(), Err(Error::Interrupted));
    for round in 0..3 {
        library.reset().unwrap();
        assert_eq!(library.echo_i32(round), Ok(round));
        P::interrupt(&handle);
    }
    works(&mut library);
}

pub(super) fn an_instance_is_reset_again_and_again<P: Place>() {
    let mut library = P::conformance();
    for _ in 0..20 {
        assert_eq!(library.count_once(), Ok(5));
        let pointer = library.malloc::<u8>(100).unwrap();
        library.write_slice(pointer, &[1; 100]).unwrap();
        library.reset().unwrap();
        assert_eq!(library.read(pointer.get(0).unwrap()), Err(Error::WrongInstance));
    }
    assert!(library.is_null(Ptr::<omniglot::Void>::null()).unwrap());
}
