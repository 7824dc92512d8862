//! Making an instance, loaded and ready, and dropping it.

use anyhow::Result;

use crate::timing::{Variant, Workload};
use crate::workloads::Workloads;

/// A small library of its own.
pub(crate) fn start() -> Result<Workload> {
    let process = Variant::new("process", |count| {
        for _ in 0..count {
            drop(Workloads::builder().build()?);
        }
        Ok(())
    });
    Ok(Workload { size: 0, variants: vec![process] })
}
