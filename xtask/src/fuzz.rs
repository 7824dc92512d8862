//! `cargo xtask fuzz`: runs tests on random input for a given time.
//!
//! A target is a test like others, which the suites run for some seconds. Here it runs for minutes,
//! with a new seed each time unless one is given. To add a target, add it to [`TARGETS`].

use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, value_parser};

use crate::cargo;
use crate::workspace::Workspace;

/// The options of `cargo xtask fuzz`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The target to fuzz
    #[arg(value_name = "TARGET", value_parser = names())]
    target: String,

    /// The duration in minutes
    #[arg(long, value_name = "N", default_value_t = 10.0, conflicts_with = "runs")]
    minutes: f64,

    /// The number of runs, instead of a duration
    #[arg(long, value_name = "N")]
    runs: Option<u64>,

    /// The number of processes, which share the runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    jobs: u64,

    /// The seed of all random numbers [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// A fuzz target.
#[derive(Debug)]
struct Target {
    name: &'static str,
    about: &'static str,
    /// Arguments of `cargo test` that select the test.
    test: &'static [&'static str],
    /// The arguments of the test program itself.
    filter: &'static [&'static str],
    build: Build,
}

/// How a target is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    /// Built like all tests.
    Plain,
    /// Built so that loads of foreign memory can be changed.
    Faults,
}

/// All targets.
const TARGETS: &[Target] = &[
    Target {
        name: "faults",
        about: "Changed results of every load of foreign memory",
        test: &["--package", "omniglot-faults", "--test", "faults"],
        filter: &[],
        build: Build::Faults,
    },
    Target {
        name: "validate",
        about: "Validity of bytes, compared with the types' definitions",
        test: &["--package", "omniglot-fuzz", "--test", "validate"],
        filter: &[],
        build: Build::Plain,
    },
    Target {
        name: "scan",
        about: "Gadgets found in code and their replacements, compared with a decoder; ELF files",
        test: &["--package", "omniglot-fuzz", "--test", "scan"],
        filter: &[],
        build: Build::Plain,
    },
    Target {
        name: "verify",
        about: "Machine code that the verifier accepts, compared with a decoder",
        test: &["--release", "--package", "omniglot-verify", "--lib"],
        filter: &["whatever_is_accepted"],
        build: Build::Plain,
    },
    Target {
        name: "confined",
        about: "Machine code that the verifier accepts, executed: it must stay in its region",
        test: &["--release", "--package", "omniglot-confined", "--test", "fuzz"],
        filter: &[],
        build: Build::Plain,
    },
    Target {
        name: "server",
        about: "The domain's system-call server, compared with the kernel",
        test: &["--package", "omniglot-linux", "--test", "differential"],
        filter: &[],
        build: Build::Plain,
    },
    Target {
        name: "reports",
        about: "Workers' reports of how they ended",
        test: &["--package", "omniglot-linux", "--lib"],
        filter: &["whatever_a_report_says"],
        build: Build::Plain,
    },
    Target {
        name: "debug_info",
        about: "Names and lines in the files of libraries",
        test: &["--package", "omniglot-linux", "--lib"],
        filter: &["whatever_a_file_has"],
        build: Build::Plain,
    },
    Target {
        name: "images",
        about: "Flat images for kernels",
        test: &["--package", "omniglot-pmp", "--lib"],
        filter: &["whatever_an_image_says"],
        build: Build::Plain,
    },
    Target {
        name: "describe",
        about: "Files for --describe, and the bindings generated from them",
        test: &["--package", "omniglot-cli", "--bin", "omniglot"],
        filter: &["any_file_is_understood"],
        build: Build::Plain,
    },
    Target {
        name: "channel",
        about: "A hostile worker that implements the call channel's protocol",
        test: &["--release", "--package", "omniglot-conformance", "--test", "rampage"],
        filter: &[],
        build: Build::Plain,
    },
    Target {
        name: "headers",
        about: "Random C headers, generated and compiled",
        test: &["--package", "omniglot-fuzz", "--test", "headers"],
        filter: &[],
        build: Build::Plain,
    },
];

/// The names of the targets, for the command line.
fn names() -> PossibleValuesParser {
    let values = TARGETS.iter().map(|target| PossibleValue::new(target.name).help(target.about));
    PossibleValuesParser::new(values)
}

/// Fuzzes one target. The last lines of its output are a summary.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Some(target) = TARGETS.iter().find(|target| target.name == options.target) else {
        bail!("there is no target {}", options.target);
    };
    if !options.minutes.is_finite() || options.minutes < 0.0 {
        bail!("--minutes must be a number of at least 0");
    }
    let seed = options.seed.map_or_else(now, Ok)?;
    let workspace = Workspace::load()?;
    let (minutes, jobs) = (options.minutes, options.jobs);
    let end =
        options.runs.map_or_else(|| format!("{minutes} minutes"), |runs| format!("{runs} runs"));
    eprintln!("{}: seed {seed}, {end}, processes: {jobs}", target.name);
    let started = (0..jobs).map(|job| options.job(target, &workspace, seed, job).spawn());
    // All are started before the first one is waited for.
    let started: Vec<_> = started.collect();
    let mut code = ExitCode::SUCCESS;
    for job in started {
        let status = job.and_then(|mut job| job.wait()).context("could not run cargo")?;
        if !status.success() {
            code = cargo::exit_code(status);
        }
    }
    Ok(code)
}

impl Options {
    /// The command of one of the processes.
    fn job(&self, target: &Target, workspace: &Workspace, seed: u64, job: u64) -> Command {
        let mut command = target.command(workspace);
        command.arg("--").args(target.filter).args(["--nocapture", "--test-threads=2"]);
        command.env("OMNIGLOT_FUZZ_SEED", seed.to_string());
        command.env("OMNIGLOT_FUZZ_SHARE", format!("{job}/{}", self.jobs));
        match self.runs {
            Some(runs) => command.env("OMNIGLOT_FUZZ_RUNS", runs.to_string()),
            None => command.env("OMNIGLOT_FUZZ_MINUTES", self.minutes.to_string()),
        };
        command
    }
}

fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(since.as_millis() as u64)
}

impl Target {
    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = match self.build {
            Build::Faults => faulty_cargo(),
            Build::Plain => cargo::command(),
        };
        command.arg("test").args(self.test).current_dir(workspace.root());
        command
    }
}

/// A cargo command that builds so that loads of foreign memory can be changed.
///
/// Naming the target keeps the flag away from build scripts and macros. So these and their
/// dependencies are not compiled again.
pub(crate) fn faulty_cargo() -> Command {
    let mut command = cargo::command();
    command.env("CARGO_BUILD_TARGET", cargo::HOST_TARGET);
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" --cfg omniglot_faults");
    command.env("RUSTFLAGS", flags);
    command
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::TARGETS;
    use crate::workspace::Workspace;

    #[test]
    fn targets_have_names_of_their_own_and_packages_that_there_are() {
        let workspace = Workspace::load().unwrap();
        let names: HashSet<_> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), TARGETS.len());
        for target in TARGETS {
            let package = target.test.iter().skip_while(|word| **word != "--package").nth(1);
            assert!(workspace.has(package.unwrap()), "{}", target.name);
        }
    }
}
