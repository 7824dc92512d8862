//! Times workloads in several variants and writes one record per measurement.
//!
//! Variants of a workload take turns, batch by batch. So a machine whose speed drifts slows all of
//! them alike, and ratios within one run are more reliable than any single figure.

mod chatty;
mod inputs;
mod native;
mod report;
mod results;
mod runtimes;
mod small;
mod statements;
mod stepping;
mod user;
mod workloads;

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use omniglot::{CHECKED, Ptr, Unprotected};
use omniglot_turns::{Record, Remote, Settings, Variant, Workload, measure, serve};

use crate::inputs::Inputs;
use crate::results::Results;
use crate::runtimes::{RUNTIMES, UNCHECKED};
use crate::small::Workloads;
use crate::workloads::{Entry, Measure};

/// Measures what calls cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only this workload; may be given several times, or with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Measure only this variant of the workloads; may be given several times, or with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    variant: Vec<String>,
    /// Measure only a little, to check that everything works.
    #[arg(long)]
    quick: bool,
    /// Batches per variant: 60 unless set, and 3 with --quick.
    #[arg(long)]
    runs: Option<usize>,
    /// Decode the PNG files in this directory instead of generated pictures.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Compress this text instead of a generated one.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Also measure this program, the same one built without checks.
    #[arg(long, value_name = "PROGRAM")]
    unchecked: Option<PathBuf>,
    /// Also measure this program, which has alternatives to Omniglot; may be given several times.
    #[arg(long, value_name = "PROGRAM")]
    peers: Vec<PathBuf>,
    /// Write one JSON record per measurement to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots and tables to this directory.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write the tables into this document, between its markers.
    #[arg(long, value_name = "FILE")]
    tables: Option<PathBuf>,
    /// Write the summary plot to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Measure nothing; read the records from this file.
    #[arg(long, value_name = "JSON")]
    from: Option<PathBuf>,
    /// Run variants for the process at the other end of standard input and output.
    #[arg(long, hide = true)]
    serve: bool,
}

fn main() -> Result<()> {
    if workloads::is_partner() {
        return workloads::answer();
    }
    let arguments = Arguments::parse();
    if arguments.serve {
        return lend(&arguments.inputs());
    }
    let results = match &arguments.from {
        Some(file) => Results::read(file)?,
        None => Results::of(measure_all(&arguments)?),
    };
    if let Some(file) = &arguments.json {
        results.write(file)?;
    }
    if let Some(directory) = &arguments.report {
        report::write_page(&results, directory)?;
    }
    if let Some(file) = &arguments.tables {
        report::write_tables(&results, file)?;
    }
    arguments.plot.map_or(Ok(()), |file| report::write_plot(&results, &file))
}

impl Arguments {
    fn inputs(&self) -> Inputs {
        Inputs { images: self.images.clone(), text: self.text.clone() }
    }

    fn settings(&self) -> Settings {
        let (runs, batch) = if self.quick { (3, 1) } else { (60, 5) };
        let runs = self.runs.unwrap_or(runs).max(3);
        Settings { runs, batch: Duration::from_millis(batch) }
    }

    /// Starts a program that runs variants with the same inputs.
    fn start(&self, program: &PathBuf) -> Result<Remote> {
        let mut command = Command::new(program);
        command.arg("--serve");
        if let Some(images) = &self.images {
            command.arg("--images").arg(images);
        }
        if let Some(text) = &self.text {
            command.arg("--text").arg(text);
        }
        Remote::start(&mut command)
    }
}

/// Other processes whose variants take turns with ours.
struct Others {
    unchecked: Option<Remote>,
    peers: Vec<Remote>,
}

impl Others {
    fn start(arguments: &Arguments) -> Result<Self> {
        let start = |program| arguments.start(program);
        let unchecked = arguments.unchecked.as_ref().map(start).transpose()?;
        let peers = arguments.peers.iter().map(start).collect::<Result<_>>()?;
        if let Some(unchecked) = &unchecked {
            let variants = unchecked.variants(SELF_TEST, 0)?;
            let is_unchecked = variants.iter().any(|variant| variant.name() == IS_UNCHECKED);
            ensure!(
                is_unchecked,
                "the program that was named with --unchecked has checks; \
                 `cargo xtask bench` builds one without"
            );
        }
        Ok(Self { unchecked, peers })
    }

    /// Adds their variants. One without checks goes before the same variant with checks; the others
    /// go last.
    fn join(&self, name: &str, size: usize, variants: &mut Vec<Variant>) -> Result<()> {
        if let Some(unchecked) = &self.unchecked {
            for other in unchecked.variants(name, size)? {
                let same = variants.iter().position(|variant| variant.name() == other.name());
                let is_runtime = RUNTIMES.contains(&other.name());
                if let Some(place) = same.filter(|_| is_runtime) {
                    let name = format!("{}{UNCHECKED}", other.name());
                    variants.insert(place, other.renamed(name));
                }
            }
        }
        for peers in &self.peers {
            variants.extend(peers.variants(name, size)?);
        }
        Ok(())
    }
}

/// The workload that tells whether a build has checks.
const SELF_TEST: &str = "self-test";
/// The variant that it has only in a build without checks.
const IS_UNCHECKED: &str = "unchecked";

/// Serves variants until standard input is closed.
fn lend(inputs: &Inputs) -> Result<()> {
    serve(io::stdin().lock(), io::stdout(), |name, size| {
        if name == SELF_TEST { self_test().map(Some) } else { workloads::find(inputs, name, size) }
    })
}

/// Tries whether an address outside all foreign memory is refused.
fn self_test() -> Result<Workload> {
    let library = runtimes::unprotected::<Workloads<Unprotected>>()?;
    let accepts = |library: Workloads<_>| library.upgrade(Ptr::<u8>::from_addr(1)).is_ok();
    let accepts = library.map_or(!CHECKED, accepts);
    ensure!(accepts != CHECKED, "this build is not what it says that it is");
    let variants = if accepts { vec![Variant::new(IS_UNCHECKED, |_| Ok(()))] } else { Vec::new() };
    Ok(Workload { size: 0, variants })
}

fn measure_all(arguments: &Arguments) -> Result<Vec<Record>> {
    let (inputs, settings) = (arguments.inputs(), arguments.settings());
    let others = Others::start(arguments)?;
    let mut records = Vec::new();
    for entry in workloads::selected(&arguments.only)? {
        // Building all of png.h takes too long for a quick run.
        if arguments.quick && arguments.only.is_empty() && entry.name == "build_time" {
            continue;
        }
        let measured = match entry.measure {
            Measure::Own(own) => {
                let records = own(settings).with_context(|| format!("measuring {}", entry.name))?;
                report::print(entry.name, &records);
                records
            }
            Measure::Published => {
                workloads::KEY_WRITES
                    .iter()
                    .for_each(|figure| println!("{}\n  {figure}", entry.name));
                Vec::new()
            }
            Measure::Batches(_) | Measure::Compared(_) => {
                measure_sizes(&entry, &inputs, settings, arguments, &others)?
            }
        };
        records.extend(measured);
    }
    Ok(records)
}

fn measure_sizes(
    entry: &Entry,
    inputs: &Inputs,
    settings: Settings,
    arguments: &Arguments,
    others: &Others,
) -> Result<Vec<Record>> {
    let (Measure::Batches(set_up) | Measure::Compared(set_up)) = entry.measure else {
        return Ok(Vec::new());
    };
    let mut records = Vec::new();
    for size in entry.sizes(inputs, arguments.quick)? {
        let context = || format!("{} {size}", entry.name);
        let mut workload = set_up(inputs, size).with_context(context)?;
        if matches!(entry.measure, Measure::Compared(_)) {
            others.join(entry.name, size, &mut workload.variants).with_context(context)?;
        }
        workload.keep(&arguments.variant);
        let title = format!("{} {}", entry.name, workload.size);
        let measured = measure(entry.name, workload, settings).with_context(context)?;
        report::print(&title, &measured);
        records.extend(measured);
    }
    Ok(records)
}
