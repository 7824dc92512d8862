//! All records of a run, and the machine that they were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use omniglot_turns::Record;
use serde::{Deserialize, Serialize};

use crate::native;
use crate::workloads::{KEY_WRITES, Published};

/// The contents of the JSON file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) records: Vec<Record>,
    /// Published figures.
    #[serde(skip_deserializing)]
    published: Vec<Published>,
}

/// The machine, the date and the versions of libraries and tools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) system: String,
    /// The load average over the last one, five and fifteen minutes.
    pub(crate) load: String,
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) compiler: String,
    pub(crate) libraries: String,
}

/// Plain FFI to the sources that are compiled to WebAssembly.
pub(crate) const WASM_NATIVE: &str = "wasm-native";

/// Returns the plain FFI that a variant is compared with: that to the same library.
pub(crate) fn plain(variant: &str) -> &'static str {
    if ["wasm", "wasm2c"].contains(&variant) { WASM_NATIVE } else { "native" }
}

impl Results {
    pub(crate) fn of(records: Vec<Record>) -> Self {
        Self { machine: Machine::this(), records, published: KEY_WRITES.to_vec() }
    }

    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not what --json writes; write it anew", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        println!("{} records written to {}", self.records.len(), file.display());
        Ok(())
    }

    /// Returns the records of a workload.
    pub(crate) fn of_workload(&self, workload: &str) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.workload == workload)
    }

    /// Returns the sizes in which a workload was measured, in order.
    pub(crate) fn sizes(&self, workload: &str) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.of_workload(workload).map(|record| record.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// Returns the names of a workload's variants, in the order in which they were measured.
    pub(crate) fn variants(&self, workload: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for record in self.of_workload(workload) {
            if !names.contains(&record.variant.as_str()) {
                names.push(&record.variant);
            }
        }
        names
    }

    /// Returns the median of one measurement.
    pub(crate) fn median(&self, workload: &str, size: usize, variant: &str) -> Option<f64> {
        let is_it = |record: &&Record| record.size == size && record.variant == variant;
        self.of_workload(workload).find(is_it).map(|record| record.median)
    }

    /// Returns the ratio of a variant's median to that of plain FFI.
    pub(crate) fn over_plain(&self, workload: &str, size: usize, variant: &str) -> Option<f64> {
        self.ratio(workload, size, variant, plain(variant))
    }

    /// Returns the ratio of one variant's median to another's.
    pub(crate) fn ratio(
        &self,
        workload: &str,
        size: usize,
        variant: &str,
        base: &str,
    ) -> Option<f64> {
        Some(self.median(workload, size, variant)? / self.median(workload, size, base)?)
    }
}

impl Machine {
    /// Returns true if the load exceeded the number of processors. The load includes the
    /// benchmarks, which run two processes at a time.
    pub(crate) fn is_busy(&self) -> bool {
        let first = self.load.split(',').next().and_then(|load| load.trim().parse::<f64>().ok());
        first.is_some_and(|load| load > self.processors as f64 + 0.5)
    }

    fn this() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = model.map(|model| model.trim_start_matches([' ', '\t', ':']));
        let uname = rustix::system::uname();
        let system = [uname.sysname(), uname.release()].map(|text| text.to_string_lossy());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split(' ').take(3).collect();
        Self {
            processor: processor.unwrap_or("unknown").to_owned(),
            processors: thread::available_parallelism().map_or(0, usize::from),
            system: system.join(" "),
            load: load.join(", "),
            date: said("date", &["-u", "+%Y-%m-%d"]),
            commit: said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD"]),
            compiler: env!("BENCH_RUSTC").to_owned(),
            libraries: format!(
                "libsodium {}, brotli {}, libpng {}",
                native::sodium::version(),
                native::brotli::version(),
                native::png::version(),
            ),
        }
    }
}

/// Returns a command's output, or "unknown" if it failed.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let good = output.ok().filter(|output| output.status.success());
    let said = good.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|| "unknown".to_owned())
}
