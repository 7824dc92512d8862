//! Instances that several threads use, one thread at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use omniglot::{Cause, Error};
use omniglot_conformance::conformance::IntCallback;

use super::instance;

#[test]
fn an_instance_moves_from_thread_to_thread() {
    let mut library = instance();
    let callback = library.register::<IntCallback>(|_, value| Ok(value + 1)).unwrap();
    library.keep_callback(callback.function()).unwrap();
    for round in 0..5 {
        library = std::thread::spawn(move || {
            assert_eq!(library.call_kept(round), Ok(round + 1));
            library
        })
        .join()
        .unwrap();
    }
    assert_eq!(library.call_kept(9), Ok(10));
}

#[test]
fn an_instance_outlives_the_thread_that_made_it() {
    let mut library = std::thread::spawn(instance).join().unwrap();
    assert_eq!(library.twice(4), Ok(8));
}

#[test]
fn instances_run_at_the_same_time() {
    let workers: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                let mut library = instance();
                (0..1000).all(|round| library.echo_i32(number * round) == Ok(number * round))
            })
        })
        .collect();
    assert!(workers.into_iter().all(|worker| worker.join().unwrap()));
}

#[test]
fn views_are_shared_between_threads() {
    let mut library = instance();
    let numbers = library.alloc_slice(&[1, 2, 3]).unwrap();
    let view = library.view_slice(&numbers).unwrap();
    let sums = std::thread::scope(|scope| {
        let sum = || view.iter().sum::<i32>();
        let threads = [scope.spawn(sum), scope.spawn(sum)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(sums, [6, 6]);
}

#[test]
fn another_thread_interrupts_a_call() {
    let mut library = instance();
    let handle = library.interrupt_handle();
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            // An interruption before the call has begun has no effect, so it is repeated.
            while !done.load(Ordering::Relaxed) {
                handle.interrupt();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let result = library.loop_forever();
        done.store(true, Ordering::Relaxed);
        result
    });
    assert_eq!(result, Err(Error::Interrupted));
    assert_eq!(library.poisoned(), Some(Cause::Interrupted));
}

#[test]
fn an_interrupt_between_calls_hits_no_call() {
    let mut library = instance();
    let handle = library.interrupt_handle();
    for round in 0..100 {
        handle.interrupt();
        assert_eq!(library.echo_i32(round), Ok(round));
    }
}

#[test]
fn an_interrupt_in_a_callback_ends_the_call_it_interrupts() {
    let mut library = instance();
    let handle = library.interrupt_handle();
    let result = library.with_callback::<IntCallback, _>(
        &mut |_, value| {
            handle.interrupt();
            Ok(value)
        },
        |api, function| api.call_int(function, 1),
    );
    assert_eq!(result.unwrap(), Err(Error::Interrupted));
}

#[test]
fn an_interrupt_of_a_dead_instance_does_nothing() {
    let library = instance();
    let handle = library.interrupt_handle();
    drop(library);
    handle.interrupt();
}

#[test]
fn time_in_callbacks_does_not_count() {
    let mut library = instance();
    let limit = Duration::from_secs(1);
    library.set_timeout(Some(limit));
    let result = library.with_callback::<IntCallback, _>(
        &mut |_, value| {
            std::thread::sleep(limit + limit / 5);
            Ok(value)
        },
        |api, function| api.call_int(function, 7),
    );
    assert_eq!(result.unwrap(), Ok(7));
}
