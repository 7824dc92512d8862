//! What came of measuring.

use serde::{Deserialize, Serialize};

/// What a record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds for one operation.
    Ns,
    /// Instructions for one operation.
    Instructions,
    /// Bytes of memory.
    Bytes,
}

/// One measurement of one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which work.
    pub workload: String,
    /// Bytes or elements that one operation handles; 0 where that means nothing.
    pub size: usize,
    /// Which way to do it.
    pub variant: String,
    /// What the figures count.
    pub unit: Unit,
    /// Half of the runs took less.
    pub median: f64,
    /// A tenth of the runs took less.
    pub p10: f64,
    /// A tenth of the runs took more.
    pub p90: f64,
    /// How many runs there were.
    pub runs: usize,
}

/// Median and the like of all runs.
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
