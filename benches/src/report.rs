//! The table for people and the file for programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use serde::Serialize;

use crate::published::Published;
use crate::timing::{Count, Record};

/// A line of the table, and an object of the file.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Row {
    Time(Record),
    Count(Count),
    Published(Published),
}

impl Row {
    const fn time(&self) -> Option<&Record> {
        match self {
            Self::Time(record) => Some(record),
            Self::Count(_) | Self::Published(_) => None,
        }
    }
}

/// Prints one workload's rows, times each with its ratio to the last one.
pub(crate) fn print(name: &str, rows: &[Row]) {
    println!("{name}");
    let base = rows.iter().rev().find_map(Row::time);
    for row in rows {
        match row {
            Row::Time(record) => print_time(record, base),
            Row::Count(count) => {
                println!("  {:<20} {:>6} instructions", count.variant, count.instructions);
            }
            Row::Published(figure) => println!("  {figure}"),
        }
    }
}

fn print_time(record: &Record, base: Option<&Record>) {
    let ratio = base.map_or(f64::NAN, |base| record.median_ns / base.median_ns);
    println!(
        "  {:<20} median {:>12.1} ns   p10 {:>12.1}   p90 {:>12.1}   {} runs   {ratio:>8.2} x {}",
        record.variant,
        record.median_ns,
        record.p10_ns,
        record.p90_ns,
        record.runs,
        base.map_or("", |base| base.variant),
    );
}

/// Writes all measurements.
pub(crate) fn write_json(file: &Path, rows: &[Row]) -> Result<()> {
    let mut text = serde_json::to_string_pretty(rows)?;
    text.push('\n');
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    println!("{} records written to {}", rows.len(), file.display());
    Ok(())
}
