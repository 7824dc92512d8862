//! Counts the instructions of a call and of a callback on the runtimes in the host's process: those
//! of the gate, of foreign code, and of the host, which is the runtime and the bindings.

use anyhow::{Context, Result};
use omniglot::{Linux, Runtime};
use omniglot_turns::{Record, Settings, Unit, summarise};

use crate::runtimes;
use crate::small::{Workloads, step_fn};
use crate::stepping::{Steps, step_through};

/// Starts an instance, if the machine supports its runtime.
type Start<R> = fn() -> Result<Option<Workloads<R>>>;

/// An empty call.
pub(crate) fn calls(_: Settings) -> Result<Vec<Record>> {
    let mut records = count("instructions", "unprotected", runtimes::unprotected, call)?;
    for (name, start) in LINUX {
        records.extend(count("instructions", name, start, call)?);
    }
    Ok(records)
}

/// A callback to a closure that adds 1, within a call.
pub(crate) fn callbacks(_: Settings) -> Result<Vec<Record>> {
    const WORKLOAD: &str = "callback_instructions";
    let mut records = count(WORKLOAD, "unprotected", runtimes::unprotected, callback)?;
    for (name, start) in LINUX {
        records.extend(count(WORKLOAD, name, start, callback)?);
    }
    Ok(records)
}

const LINUX: [(&str, Start<Linux>); 2] = [("keys", runtimes::keys), ("sfi", runtimes::sfi)];

fn count<R: Runtime + 'static>(
    workload: &str,
    runtime: &str,
    start: Start<R>,
    measure: fn(Start<R>) -> Result<Steps>,
) -> Result<Vec<Record>> {
    if start()?.is_none() {
        return Ok(Vec::new());
    }
    let steps = measure(start)?;
    let record = |part: &str, instructions: u64| {
        let variant = format!("{runtime}{part}");
        summarise(workload, 0, &variant, Unit::Instructions, vec![instructions as f64])
    };
    Ok(vec![
        record("-gate", steps.gate),
        record("-foreign", steps.foreign),
        record("-host", steps.all - steps.gate - steps.foreign),
        record("", steps.all),
    ])
}

fn call<R: Runtime + 'static>(start: Start<R>) -> Result<Steps> {
    step_through(|| {
        let mut library = start()?.context("it started before")?;
        Ok(move || Ok(library.empty()?))
    })
}

/// The difference between a call with two callbacks and one with one.
fn callback<R: Runtime + 'static>(start: Start<R>) -> Result<Steps> {
    Ok(calling_back(start, 2)? - calling_back(start, 1)?)
}

fn calling_back<R: Runtime + 'static>(start: Start<R>, count: i32) -> Result<Steps> {
    step_through(|| {
        let mut library = start()?.context("it started before")?;
        let step = library.register::<step_fn>(|_, value| Ok(value.wrapping_add(1)))?;
        Ok(move || {
            library.repeat(step.function(), 0, count)?;
            Ok(())
        })
    })
}
