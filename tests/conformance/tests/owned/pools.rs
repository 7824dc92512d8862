//! Pools of instances, each in a worker process.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use omniglot::{Cause, Error, Pool, Pooled};
use omniglot_conformance::conformance::{Conformance, IntCallback};

use super::instance;

fn pool(size: usize) -> Pool<Conformance> {
    Pool::new(size, || Ok(instance()))
}

/// A job that must find the library in the state after loading, and changes that state.
fn job(library: &mut Pooled<'_, Conformance>, number: usize) {
    assert_eq!(library.count_once(), Ok(5), "job {number} finds another's state");
    assert_eq!(library.twice(4), Ok(8));
    match number % 8 {
        0 => assert!(library.trap().is_err()),
        1 => {
            library.set_timeout(Some(Duration::from_millis(20)));
            assert!(matches!(library.loop_forever(), Err(Error::Timeout { .. })));
            library.set_timeout(None);
        }
        2 => {
            let panicking = library.register::<IntCallback>(|_, _| resume_unwind(Box::new("job")));
            let function = panicking.unwrap().function();
            let _ends = library.call_int(function, 1);
        }
        _ => {}
    }
}

#[test]
fn sixteen_threads_share_four_instances() {
    const JOBS: usize = 6;
    let pool = pool(4);
    let most = AtomicUsize::new(0);
    let out = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (pool, most, out) = (&pool, &most, &out);
            scope.spawn(move || {
                for round in 0..JOBS {
                    let mut library = pool.get().unwrap();
                    most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let _ended =
                        catch_unwind(AssertUnwindSafe(|| job(&mut library, thread + round)))
                            .map_err(|panic| {
                                assert_eq!(panic.downcast_ref::<&str>(), Some(&"job"))
                            });
                    out.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(most.into_inner() <= 4);
    assert_eq!(pool.get().unwrap().count_once(), Ok(5));
}

#[test]
fn a_jobs_secret_does_not_reach_the_next() {
    let secret = b"what only one job may know";
    let pool = pool(1);
    let mut library = pool.get().unwrap();
    let boxed = library.alloc_slice(secret).unwrap();
    library.remember(&boxed, secret.len()).unwrap();
    assert!(super::resets::count_in_window(&library, secret) > 0);
    drop(library);
    let library = pool.get().unwrap();
    assert_eq!(super::resets::count_in_window(&library, secret), 0);
    assert_eq!(library.view_slice(&boxed).map(drop), Err(Error::WrongInstance));
}

#[test]
fn an_instance_comes_back_from_a_panic() {
    let pool = pool(1);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mut library = pool.get().unwrap();
        library.count_once().unwrap();
        resume_unwind(Box::new("in a job"))
    }));
    assert!(panic.is_err_and(|panic| panic.downcast_ref() == Some(&"in a job")));
    assert_eq!(pool.try_get().unwrap().unwrap().count_once(), Ok(5));
}

#[test]
fn trusting_jobs_share_state_but_no_poison() {
    let pool = pool(1).keep_state_between_trusting_jobs();
    assert_eq!(pool.get().unwrap().count_once(), Ok(5));
    assert_eq!(pool.get().unwrap().count_once(), Ok(6));
    let mut library = pool.get().unwrap();
    assert!(library.trap().is_err());
    assert_eq!(library.poisoned(), Some(Cause::Fault));
    drop(library);
    assert_eq!(pool.get().unwrap().count_once(), Ok(5));
}
