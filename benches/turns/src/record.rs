//! The results of measurements.

use serde::{Deserialize, Serialize};

/// The unit of a record's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds per operation.
    Ns,
    /// Instructions per operation.
    Instructions,
    /// Bytes of memory.
    Bytes,
}

/// One measurement of one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The name of the workload.
    pub workload: String,
    /// Bytes or elements that one operation handles, or 0 if the workload has no size.
    pub size: usize,
    /// The name of the variant.
    pub variant: String,
    /// The unit of the figures.
    pub unit: Unit,
    /// The median of all runs.
    pub median: f64,
    /// The 10th percentile of all runs.
    pub p10: f64,
    /// The 90th percentile of all runs.
    pub p90: f64,
    /// The number of runs.
    pub runs: usize,
}

/// Returns the statistics of all runs.
#[must_use]
pub fn summarise(
    workload: &str,
    size: usize,
    variant: &str,
    unit: Unit,
    mut values: Vec<f64>,
) -> Record {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * (values.len().saturating_sub(1)) as f64).round() as usize;
        values.get(index).copied().unwrap_or(f64::NAN)
    };
    let (median, p10, p90) = (at(0.5), at(0.1), at(0.9));
    let (workload, variant) = (workload.to_owned(), variant.to_owned());
    Record { workload, size, variant, unit, median, p10, p90, runs: values.len() }
}
