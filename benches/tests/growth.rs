//! The cost of an operation does not depend on how much else there is. The tests count
//! instructions, which do not depend on the machine's load.
#![allow(missing_docs, unsafe_code, clippy::unwrap_used)]

#[path = "../src/runtimes.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod runtimes;
#[path = "../src/small.rs"]
#[allow(dead_code)]
mod small;
#[path = "../src/stepping.rs"]
#[allow(dead_code)]
mod stepping;

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use omniglot::{Library, Options, Ptr, Unprotected};

use small::{Workloads, step_fn};
use stepping::step_through;

/// The largest acceptable ratio of the two counts. It allows for instructions that depend on the
/// alignment of memory.
const MOST_GROWTH: f64 = 1.02;

type Small = Workloads<Unprotected>;

/// Only one process is stepped through at a time.
static STEPPING: Mutex<()> = Mutex::new(());

fn library() -> Result<Small> {
    runtimes::unprotected()?.context("no runtime without protection")
}

/// Compares an operation's instruction counts with little and with much around it. A machine that
/// does not support the runtime has nothing to count.
fn assert_no_growth<O: FnMut() -> Result<()>>(
    [few, many]: [usize; 2],
    set_up: impl Fn(usize) -> Result<O>,
) {
    if runtimes::unprotected::<Small>().unwrap().is_none() {
        return;
    }
    let _one_at_a_time = STEPPING.lock().unwrap_or_else(PoisonError::into_inner);
    let count = |number| step_through(|| set_up(number)).unwrap().all;
    let (little, much) = (count(few), count(many));
    println!("{few}: {little} instructions, {many}: {much}");
    assert!(little > 0);
    assert!(much as f64 <= little as f64 * MOST_GROWTH, "{few}: {little}, {many}: {much}");
}

/// Compares the same `work` with the last of 1 and of 4,096 living allocations of 64 bytes.
fn assert_no_growth_with_allocations(work: impl Fn(&mut Small, Ptr<u8>) -> Result<()>) {
    assert_no_growth([1, 4096], |living| {
        let mut library = library()?;
        let boxes = (0..living).map(|_| library.alloc_zeroed::<u8>(64));
        let boxes = boxes.collect::<omniglot::Result<Vec<_>>>()?;
        let last = boxes.last().map_or(Ptr::null(), |last| last.as_slice().as_ptr());
        let work = &work;
        Ok(move || {
            let _living = &boxes;
            work(&mut library, black_box(last))
        })
    });
}

#[test]
fn an_upgrade_does_not_grow_with_allocations() {
    assert_no_growth_with_allocations(|library, last| {
        black_box(library.upgrade_slice(last, 64)?);
        Ok(())
    });
}

#[test]
fn an_upgrade_to_write_does_not_grow_with_allocations() {
    assert_no_growth_with_allocations(|library, last| {
        black_box(library.upgrade_slice_mut(last, 64)?);
        Ok(())
    });
}

#[test]
fn a_call_does_not_grow_with_instances() {
    assert_no_growth([0, 32], |others| {
        let others = (0..others).map(|_| library()).collect::<Result<Vec<_>>>()?;
        let mut library = library()?;
        Ok(move || {
            let _others = &others;
            Ok(library.empty()?)
        })
    });
}

#[test]
fn calls_and_callbacks_do_not_grow_with_registered_closures() {
    assert_no_growth([1, 64], |registered| {
        let mut library = library()?;
        let register = |_| library.register::<step_fn>(|_, value| Ok(value.wrapping_add(1)));
        let steps = (0..registered).map(register).collect::<omniglot::Result<Vec<_>>>()?;
        let last = steps.last().context("none is registered")?.function();
        Ok(move || {
            let _registered = &steps;
            black_box(library.repeat(last, 0, 10)?);
            Ok(())
        })
    });
}

#[test]
fn a_reset_does_not_grow_with_the_memory_limit() {
    assert_no_growth([64, 8192], |mebibytes| {
        let mut options = Options::default();
        options.memory_limit = mebibytes << 20;
        // SAFETY: the library accesses no memory but its own.
        let runtime = unsafe { Unprotected::start(&Small::DESCRIPTION, &options) }?;
        let mut library = Small::from_runtime(runtime);
        Ok(move || Ok(library.reset()?))
    });
}
