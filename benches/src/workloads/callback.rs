//! A callback: from the library to a Rust closure, and back.

use anyhow::{Result, ensure};
use omniglot::{Registered, Runtime};
use omniglot_turns::{Variant, Workload};

use super::pingpong;
use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::small::{Workloads, step_fn};

/// One operation is one callback, while `registered` closures exist. The cost of the surrounding
/// call is spread over the batch.
pub(crate) fn callback(_: &Inputs, registered: usize) -> Result<Workload> {
    let mut variants = vec![Variant::new("native", |count| {
        native::repeat(i32::try_from(count)?);
        Ok(())
    })];
    variants.extend(on_each_runtime!(Workloads, |name, library| {
        variant(name, library, registered)?
    }));
    variants.push(pingpong::variant()?);
    Ok(Workload { size: registered, variants })
}

fn variant<R: Runtime>(
    name: &str,
    mut library: Workloads<R>,
    registered: usize,
) -> Result<Variant> {
    let register = |_| library.register::<step_fn>(|_, value| Ok(value.wrapping_add(1)));
    let steps: Vec<Registered<step_fn>> =
        (0..registered).map(register).collect::<Result<_, _>>()?;
    Ok(Variant::new(name, move |count| {
        let count = i32::try_from(count)?;
        let Some(step) = steps.last() else { return Ok(()) };
        let last = library.repeat(step.function(), 0, count)?;
        ensure!(last == count, "{last} callbacks instead of {count}");
        Ok(())
    }))
}
