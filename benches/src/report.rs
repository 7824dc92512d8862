//! The table for people and the file for programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::timing::Record;

/// Prints one workload's measurements, each with its ratio to the last one.
pub(crate) fn print(name: &str, records: &[Record]) {
    println!("{name}");
    let base = records.last();
    for record in records {
        let ratio = base.map_or(f64::NAN, |base| record.median_ns / base.median_ns);
        println!(
            "  {:<12} median {:>12.1} ns   p10 {:>12.1}   p90 {:>12.1}   {} runs   {ratio:>8.2} x {}",
            record.variant,
            record.median_ns,
            record.p10_ns,
            record.p90_ns,
            record.runs,
            base.map_or("", |base| base.variant),
        );
    }
}

/// Writes all measurements.
pub(crate) fn write_json(file: &Path, records: &[Record]) -> Result<()> {
    let mut text = serde_json::to_string_pretty(records)?;
    text.push('\n');
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    println!("{} records written to {}", records.len(), file.display());
    Ok(())
}
