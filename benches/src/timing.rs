//! Batches that take turns, and what came of them.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

/// How often to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Batches per variant.
    pub(crate) runs: usize,
}

/// One way to do a workload.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// Gets ready, before the clock starts.
    wake: Box<dyn FnMut() -> Result<()>>,
    /// The most operations in a batch.
    most: u32,
    /// Does the operation this many times.
    batch: Box<dyn FnMut(u32) -> Result<()>>,
}

impl Variant {
    pub(crate) fn new(name: &'static str, batch: impl FnMut(u32) -> Result<()> + 'static) -> Self {
        Self { name, wake: Box::new(|| Ok(())), most: MOST, batch: Box::new(batch) }
    }

    /// Has something to do before each batch that is not measured.
    pub(crate) fn waking(mut self, wake: impl FnMut() -> Result<()> + 'static) -> Self {
        self.wake = Box::new(wake);
        self
    }

    /// Takes so few operations at a time, for those that need something to be ready.
    pub(crate) fn at_most(mut self, count: u32) -> Self {
        self.most = count;
        self
    }
}

/// What is compared in one run.
pub(crate) struct Workload {
    /// Bytes or elements that one operation handles; 0 where that means nothing.
    pub(crate) size: usize,
    pub(crate) variants: Vec<Variant>,
}

impl Workload {
    /// Keeps the variants of these names, or all if there are no names.
    pub(crate) fn keep(&mut self, names: &[String]) {
        let is_wanted = |variant: &Variant| names.iter().any(|name| name == variant.name);
        self.variants.retain(|variant| names.is_empty() || is_wanted(variant));
    }
}

/// One measurement: nanoseconds per operation over all batches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) workload: &'static str,
    pub(crate) size: usize,
    pub(crate) variant: &'static str,
    pub(crate) median_ns: f64,
    pub(crate) p10_ns: f64,
    pub(crate) p90_ns: f64,
    pub(crate) runs: usize,
}

/// A number of instructions, which no clock measures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) workload: &'static str,
    pub(crate) variant: &'static str,
    pub(crate) instructions: u64,
}

/// How long a batch should take: long enough for the clock, short enough to take turns.
const BATCH: Duration = Duration::from_millis(5);
/// The most operations in a batch.
const MOST: u32 = 1_000_000;

/// Measures a workload's variants by turns.
pub(crate) fn measure(
    name: &'static str,
    workload: Workload,
    settings: Settings,
) -> Result<Vec<Record>> {
    let mut variants = workload.variants;
    let mut counts = Vec::new();
    for variant in &mut variants {
        counts.push(calibrate(variant)?);
    }
    let mut times = vec![Vec::with_capacity(settings.runs); variants.len()];
    for _ in 0..settings.runs {
        for ((variant, count), times) in variants.iter_mut().zip(&counts).zip(&mut times) {
            times.push(time(variant, *count)?);
        }
    }
    let records = variants
        .iter()
        .zip(times)
        .map(|(variant, times)| summarise(name, workload.size, variant.name, times));
    Ok(records.collect())
}

/// How many operations fill a batch; warms up as well.
fn calibrate(variant: &mut Variant) -> Result<u32> {
    let mut count = 1;
    loop {
        // The fastest of a few, since a busy machine can stretch any one of them.
        let each = time(variant, count)?.min(time(variant, count)?).min(time(variant, count)?);
        let total = each * f64::from(count);
        if total >= BATCH.as_nanos() as f64 / 2.0 || count >= variant.most {
            let fitting = BATCH.as_nanos() as f64 / each.max(0.01);
            return Ok((fitting as u32).clamp(1, variant.most));
        }
        count = count.saturating_mul(4);
    }
}

/// Nanoseconds per operation in one batch.
fn time(variant: &mut Variant, count: u32) -> Result<f64> {
    (variant.wake)()?;
    let start = Instant::now();
    (variant.batch)(count)?;
    Ok(start.elapsed().as_nanos() as f64 / f64::from(count))
}

/// Median and the like of all batches.
pub(crate) fn summarise(
    workload: &'static str,
    size: usize,
    variant: &'static str,
    mut times: Vec<f64>,
) -> Record {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * (times.len().saturating_sub(1)) as f64).round() as usize;
        times.get(index).copied().unwrap_or(f64::NAN)
    };
    let (median_ns, p10_ns, p90_ns) = (at(0.5), at(0.1), at(0.9));
    Record { workload, size, variant, median_ns, p10_ns, p90_ns, runs: times.len() }
}
