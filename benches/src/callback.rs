//! A callback: out of the library, through a Rust closure, and back.

use anyhow::{Result, ensure};

use crate::timing::{Variant, Workload};
use crate::workloads::{Workloads, step_fn};
use crate::{native, pingpong, unprotected};

/// One operation is one callback; the call around a batch is spread over it.
pub(crate) fn callback() -> Result<Workload> {
    let mut library = Workloads::builder().build()?;
    let step = library.register::<step_fn>(|_, (value,)| Ok(value.wrapping_add(1)))?;
    let native = Variant::new("native", |count| {
        native::repeat(i32::try_from(count)?);
        Ok(())
    });
    let process = Variant::new("process", move |count| {
        let count = i32::try_from(count)?;
        let last = library.repeat(step.function(), 0, count)?;
        ensure!(last == count, "{last} callbacks instead of {count}");
        Ok(())
    });
    let mut library = unprotected::instance()?;
    let step = library.register::<step_fn>(|_, (value,)| Ok(value.wrapping_add(1)))?;
    let unprotected = Variant::new("unprotected", move |count| {
        let count = i32::try_from(count)?;
        let last = library.repeat(step.function(), 0, count)?;
        ensure!(last == count, "{last} callbacks instead of {count}");
        Ok(())
    });
    Ok(Workload { size: 0, variants: vec![native, unprotected, process, pingpong::variant()?] })
}
