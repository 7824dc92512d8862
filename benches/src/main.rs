//! Times workloads in several variants and writes one record per measurement.
//!
//! Variants of a workload take turns, batch by batch, so that a machine whose
//! speed drifts slows all of them alike; ratios within one run can be trusted
//! more than any single figure.

mod build_time;
mod callback;
mod clearing;
mod empty_call;
mod instructions;
mod native;
mod pingpong;
mod published;
mod report;
mod reset;
mod start;
mod timing;
mod unprotected;
mod workloads;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::report::Row;
use crate::timing::{Record, Settings, Workload};

/// Measures what calls cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run this workload only; may be given several times, or with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Measure this variant of the workloads only; may be given several times, or with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    variant: Vec<String>,
    /// Write one JSON record per measurement to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Batches per variant.
    #[arg(long, default_value_t = 60)]
    runs: usize,
}

/// A workload's name and how it is measured.
type Entry = (&'static str, Measure);

/// How a workload is measured.
#[derive(Clone, Copy)]
enum Measure {
    /// In batches of operations.
    Batches(fn() -> Result<Workload>),
    /// In its own way.
    Own(fn(Settings) -> Result<Vec<Record>>),
    /// Without a clock.
    Rows(fn() -> Result<Vec<Row>>),
}

const WORKLOADS: &[Entry] = &[
    ("empty_call", Measure::Batches(empty_call::empty)),
    ("instructions", Measure::Rows(instructions)),
    ("clearing", Measure::Batches(clearing::clearing)),
    ("key_writes", Measure::Rows(key_writes)),
    ("six_arguments", Measure::Batches(empty_call::six_arguments)),
    ("callback", Measure::Batches(callback::callback)),
    ("start", Measure::Batches(start::start)),
    ("reset", Measure::Batches(reset::reset)),
    ("build_time", Measure::Own(build_time::build_time)),
];

fn main() -> Result<()> {
    if pingpong::is_partner() {
        return pingpong::answer();
    }
    let arguments = Arguments::parse();
    let settings = Settings { runs: arguments.runs.max(3) };
    let mut rows = Vec::new();
    for (name, measure) in selected(&arguments.only)? {
        let measured = measured(name, measure, settings, &arguments.variant)?;
        report::print(name, &measured);
        rows.extend(measured);
    }
    match arguments.json {
        Some(file) => report::write_json(&file, &rows),
        None => Ok(()),
    }
}

fn measured(
    name: &'static str,
    measure: Measure,
    settings: Settings,
    only: &[String],
) -> Result<Vec<Row>> {
    let records = match measure {
        Measure::Batches(set_up) => {
            let mut workload = set_up().with_context(|| format!("setting up {name}"))?;
            workload.keep(only);
            timing::measure(name, workload, settings)?
        }
        Measure::Own(measure) => measure(settings).with_context(|| format!("measuring {name}"))?,
        Measure::Rows(rows) => return rows().with_context(|| format!("measuring {name}")),
    };
    Ok(records.into_iter().map(Row::Time).collect())
}

fn instructions() -> Result<Vec<Row>> {
    Ok(instructions::instructions()?.into_iter().map(Row::Count).collect())
}

fn key_writes() -> Result<Vec<Row>> {
    Ok(published::KEY_WRITES.into_iter().map(Row::Published).collect())
}

fn selected(only: &[String]) -> Result<Vec<Entry>> {
    for name in only {
        if !WORKLOADS.iter().any(|(known, _)| known == name) {
            let names: Vec<_> = WORKLOADS.iter().map(|(known, _)| *known).collect();
            bail!("there is no workload {name}; there are: {}", names.join(", "));
        }
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|chosen| chosen == name);
    Ok(WORKLOADS.iter().filter(|(name, _)| wanted(name)).copied().collect())
}
