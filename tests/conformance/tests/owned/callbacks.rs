//! Closures that the instance or a scope owns.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use omniglot::{Cause, Error, FnPtr, MAX_DEPTH, Registered, Signature};
use omniglot_conformance::conformance::IntCallback;

use super::{Api, instance};

#[test]
fn registered_callbacks_are_called_in_later_calls() {
    let mut library = instance();
    let mut total = 0;
    let adder = library
        .register::<IntCallback>(move |_, value| {
            total += value;
            Ok(total)
        })
        .unwrap();
    library.keep_callback(adder.function()).unwrap();
    assert_eq!([1, 2, 3].map(|value| library.call_kept(value).unwrap()), [1, 3, 6]);
}

#[test]
fn a_dropped_callback_is_no_more() {
    let mut library = instance();
    let callback = library.register::<IntCallback>(|_, value| Ok(value)).unwrap();
    library.keep_callback(callback.function()).unwrap();
    assert_eq!(library.call_kept(1), Ok(1));
    drop(callback);
    assert!(matches!(library.call_kept(1), Err(Error::NoSuchCallback { .. })));
    assert_eq!(library.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn a_callback_that_is_dropped_by_itself_returns_and_is_freed() {
    let mut library = instance();
    let handle: Arc<Mutex<Option<Registered<IntCallback>>>> = Arc::default();
    let alive = Arc::new(());
    let witness = Arc::downgrade(&alive);
    let own = Arc::clone(&handle);
    let callback = library
        .register::<IntCallback>(move |api, value| {
            drop(own.lock().unwrap().take());
            // Another call performs the removal while this closure runs.
            let doubled = api.twice(value)?;
            let _still = &alive;
            Ok(doubled)
        })
        .unwrap();
    library.keep_callback(callback.function()).unwrap();
    *handle.lock().unwrap() = Some(callback);
    assert_eq!(library.call_kept(21), Ok(42));
    assert!(witness.upgrade().is_none());
    assert!(matches!(library.call_kept(21), Err(Error::NoSuchCallback { .. })));
}

#[test]
fn a_closure_is_dropped_with_its_handle_or_its_instance() {
    let alive = Arc::new(());
    let captured = || {
        let alive = Arc::clone(&alive);
        move |_: &mut Api, value: i32| {
            let _alive = &alive;
            Ok(value)
        }
    };
    let mut library = instance();
    let first = library.register::<IntCallback>(captured()).unwrap();
    let second = library.register::<IntCallback>(captured()).unwrap();
    assert_eq!(Arc::strong_count(&alive), 3);
    drop(first);
    library.echo_i32(0).unwrap();
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(library);
    assert_eq!(Arc::strong_count(&alive), 1);
    drop(second);
}

#[test]
fn a_handle_can_be_dropped_on_another_thread() {
    let mut library = instance();
    let callback = library.register::<IntCallback>(|_, value| Ok(value)).unwrap();
    library.keep_callback(callback.function()).unwrap();
    std::thread::spawn(move || drop(callback)).join().unwrap();
    assert!(matches!(library.call_kept(1), Err(Error::NoSuchCallback { .. })));
}

#[test]
fn a_withdrawn_pointer_calls_nobody_else() {
    let mut library = instance();
    let mut living: Vec<_> = (1..IntCallback::SLOTS)
        .map(|_| library.register::<IntCallback>(|_, _| Ok(1)).unwrap())
        .collect();
    let withdrawn = library.register::<IntCallback>(|_, _| Ok(1)).unwrap().function();
    for _ in 0..IntCallback::SLOTS {
        let next = library.register::<IntCallback>(|_, _| Ok(2)).unwrap();
        assert_ne!(next.function(), withdrawn, "it rests");
        // The oldest is dropped, so that in the end all of them were made after it.
        living.push(next);
        drop(living.remove(0));
    }
    let result = library.call_int(withdrawn, 0);
    assert!(matches!(result, Err(Error::NoSuchCallback { .. })), "{result:?}");
}

/// There are only so many C functions, so one is eventually reused.
#[test]
fn addresses_are_used_in_turn() {
    let mut library = instance();
    let mut functions = Vec::new();
    for _ in 0..2 * IntCallback::ADDRESSES {
        functions.push(library.register::<IntCallback>(|_, _| Ok(2)).unwrap().function());
    }
    let (first, second) = functions.split_at(IntCallback::ADDRESSES as usize);
    assert_eq!(first, second);
    let different: std::collections::HashSet<_> =
        first.iter().map(|function| function.addr()).collect();
    assert_eq!(different.len(), first.len());
}

#[test]
fn slots_run_out_at_the_number_that_was_asked_for() {
    let mut library = instance();
    let all: Vec<_> = (0..IntCallback::SLOTS)
        .map(|_| library.register::<IntCallback>(|_, _| Ok(0)).unwrap())
        .collect();
    let none = Error::NoCallbackSlot { signature: "IntCallback" };
    assert_eq!(library.register::<IntCallback>(|_, _| Ok(0)).unwrap_err(), none);
    drop(all);
    assert!(library.register::<IntCallback>(|_, _| Ok(0)).is_ok());
}

#[test]
fn closures_of_a_scope_share_what_they_borrow() {
    let mut library = instance();
    let log = RefCell::new(Vec::new());
    let sum = library
        .scope(|scope| {
            let one = scope.callback::<IntCallback>(|_, value| {
                log.borrow_mut().push(value);
                Ok(value)
            })?;
            let two = scope.callback::<IntCallback>(|_, value| {
                log.borrow_mut().push(-value);
                Ok(value * 10)
            })?;
            scope.call_in_turn(one, two, 4)
        })
        .unwrap();
    assert_eq!((sum, log.into_inner()), (4 + 30 + 2 + 10, vec![4, -3, 2, -1]));
}

#[test]
fn closures_of_a_scope_end_with_it() {
    let mut library = instance();
    let calls = Cell::new(0);
    let function = library
        .scope(|scope| {
            scope.callback::<IntCallback>(|_, value| {
                calls.set(calls.get() + 1);
                Ok(value)
            })
        })
        .unwrap();
    assert!(matches!(library.call_int(function, 1), Err(Error::NoSuchCallback { .. })));
    assert_eq!(calls.get(), 0);
}

/// Nests callbacks through registered closures, each of which calls the next.
#[test]
fn calls_nest_exactly_to_the_limit() {
    let mut library = instance();
    let deepest = Arc::new(AtomicU32::new(0));
    let mut below: Vec<Registered<IntCallback>> = Vec::new();
    for level in (0..MAX_DEPTH + 2).rev() {
        let next = below.last().map_or(FnPtr::null(), Registered::function);
        let deepest = Arc::clone(&deepest);
        let callback = library.register::<IntCallback>(move |api, value| {
            deepest.fetch_max(level + 1, Ordering::Relaxed);
            match api.call_int(next, value) {
                Err(Error::TooDeep { limit }) => Ok(limit as i32),
                other => Ok(other?),
            }
        });
        below.push(callback.unwrap());
    }
    let first = below.last().unwrap().function();
    assert_eq!(library.call_int(first, 0), Ok(MAX_DEPTH as i32));
    assert_eq!(deepest.load(Ordering::Relaxed), MAX_DEPTH);
    assert_eq!(library.poisoned(), None);
}
