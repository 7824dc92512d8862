//! Runs batches in turns.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Record, Unit, Variant, Workload, summarise};

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Batches per variant.
    pub runs: usize,
    /// Duration of a batch: long enough for the clock, short enough to take turns.
    pub batch: Duration,
}

/// Measures a workload's variants in turns.
///
/// # Errors
/// The first error of a variant's work.
pub fn measure(name: &str, workload: Workload, settings: Settings) -> Result<Vec<Record>> {
    let mut variants = workload.variants;
    let mut counts = Vec::new();
    for variant in &mut variants {
        counts.push(calibrate(variant, settings.batch)?);
    }
    let mut times = vec![Vec::with_capacity(settings.runs); variants.len()];
    for _ in 0..settings.runs {
        for ((variant, count), times) in variants.iter_mut().zip(&counts).zip(&mut times) {
            times.push(time(variant, *count)?);
        }
    }
    let records = variants.iter().zip(times);
    let records = records
        .map(|(variant, times)| summarise(name, workload.size, variant.name(), Unit::Ns, times));
    Ok(records.collect())
}

/// Returns how many operations fill a batch. This also warms the variant up.
fn calibrate(variant: &mut Variant, batch: Duration) -> Result<u32> {
    let mut count = 1;
    loop {
        // The minimum of a few runs, since a busy machine can stretch any one of them.
        let each = time(variant, count)?.min(time(variant, count)?).min(time(variant, count)?);
        let total = each * f64::from(count);
        if total >= batch.as_nanos() as f64 / 2.0 || count >= variant.most() {
            let fitting = batch.as_nanos() as f64 / each.max(0.01);
            return Ok((fitting as u32).clamp(1, variant.most()));
        }
        count = count.saturating_mul(4).min(variant.most());
    }
}

/// Returns the nanoseconds per operation in one batch.
fn time(variant: &mut Variant, count: u32) -> Result<f64> {
    let took = variant.turn(count).with_context(|| format!("the variant {}", variant.name()))?;
    Ok(took.as_nanos() as f64 / f64::from(count))
}
