//! The output for people: lines during the run, a page, and the tables of a document.

mod figures;
mod goals;
mod page;
mod plots;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use omniglot_turns::Record;

use crate::results::{Results, plain};

pub(crate) use figures::{amount, factor};

/// Prints one workload's records, each with its ratio to plain FFI, or to the last one if there is
/// no plain FFI.
pub(crate) fn print(title: &str, records: &[Record]) {
    println!("{title}");
    for record in records {
        let native = records.iter().find(|other| other.variant == plain(&record.variant));
        let base = native.or_else(|| records.last());
        let ratio = base.map_or(f64::NAN, |base| record.median / base.median);
        println!(
            "  {:<22} median {:>12}   p10 {:>12}   p90 {:>12}   {:>3} runs   {ratio:>8.3} x {}",
            record.variant,
            amount(record.median, record.unit),
            amount(record.p10, record.unit),
            amount(record.p90, record.unit),
            record.runs,
            base.map_or("", |base| base.variant.as_str()),
        );
    }
}

/// Writes the page, which needs no other file, to a directory, which is created.
pub(crate) fn write_page(results: &Results, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    results.write(&directory.join("results.json"))?;
    let file = directory.join("index.html");
    fs::write(&file, page::page(results)?)
        .with_context(|| format!("writing {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

/// Writes the tables into a document, between its markers.
pub(crate) fn write_tables(results: &Results, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let text = tables::insert(&text, results)
        .with_context(|| format!("{} lacks the marks for tables", file.display()))?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// Writes the summary plot, as SVG.
pub(crate) fn write_plot(results: &Results, file: &Path) -> Result<()> {
    fs::write(file, plots::overhead(results)?)
        .with_context(|| format!("writing {}", file.display()))
}
