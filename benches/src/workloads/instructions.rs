//! Counts the instructions of a call.

use anyhow::{Context, Result};
use omniglot::{Runtime, Unprotected};
use omniglot_turns::{Record, Settings, Unit, summarise};

use crate::runtimes;
use crate::small::Workloads;
use crate::stepping::step_through;

/// Counts the instructions of an empty call on `Unprotected`: those of the gate, of foreign code,
/// and of the runtime and the bindings.
pub(crate) fn instructions(_: Settings) -> Result<Vec<Record>> {
    let library = runtimes::unprotected::<Workloads<Unprotected>>;
    if library()?.is_none() {
        return Ok(Vec::new());
    }
    let steps = step_through(|| {
        let mut library = library()?.context("no runtime without protection")?;
        let window = library.runtime().window();
        let window = window.start()..window.start() + window.len();
        Ok((move || Ok(library.empty()?), window))
    })?;
    let count = |variant, instructions: u64| {
        let instructions = vec![instructions as f64];
        summarise("instructions", 0, variant, Unit::Instructions, instructions)
    };
    Ok(vec![
        count("unprotected-gate", steps.gate),
        count("unprotected-foreign", steps.foreign),
        count("unprotected-host", steps.all - steps.gate - steps.foreign),
        count("unprotected", steps.all),
    ])
}
