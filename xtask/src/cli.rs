//! The command line.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::bench;
use crate::defences;
use crate::fuzz;
use crate::guest;
use crate::headers;
use crate::kernel;
use crate::libraries;
use crate::places;
use crate::riscv;
use crate::root;
use crate::setup::Task;
use crate::soak;
use crate::test::{chosen, suites};

/// The commands for working on Omniglot.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = SETUP_HELP)]
pub(crate) struct Cli {
    /// Install missing system packages, with sudo unless root
    #[arg(long, global = true)]
    pub(crate) install: bool,

    /// The command to run.
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// Help text about set-up, shown below the list of commands.
const SETUP_HELP: &str = "\
Each command first checks for the system packages that it needs. As root, with CI=true or with
--install, it installs missing ones with apt-get. Otherwise it prints what to install and why, and
exits with status 3.";

/// One command with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Build the demo and run it
    Demo {
        /// Arguments for the demo
        #[arg(value_names = ["FILE.png", "OUT"], num_args = 0..)]
        args: Vec<OsString>,
    },

    /// Run the tests, and count the results
    Test {
        /// Run only this suite (may be repeated, or name several with commas)
        #[arg(long, value_name = "SUITE", value_parser = suites::names(), value_delimiter = ',')]
        only: Vec<String>,

        /// Also run what takes long: builds in every release of Debian, and everything that is
        /// usually only sampled; suites that are named do that anyway
        #[arg(long, conflicts_with = "only")]
        all: bool,
    },

    /// Run the benchmarks
    Bench(Box<bench::Options>),

    /// Check formatting, clippy's lints, the documentation, and the invariants that SAFETY comments
    /// cite
    Lint,

    /// Build the archives for crates.io, and each crate from its archive
    Package {
        /// Include changes that are not committed
        #[arg(long)]
        allow_dirty: bool,
    },

    /// Build the kernel, and run it in QEMU with its console on this terminal
    Kernel(kernel::Options),

    /// Run real libraries at their main jobs, and write the results to docs/libraries.md
    Libraries(libraries::Options),

    /// Run a small host in containers, sandboxes, under filters and limits, and write the results to
    /// docs/where-it-runs.md
    Places(places::Options),

    /// Bind real libraries' headers, and write what is bound to docs/headers.md
    Headers(headers::Options),

    /// Build a package's program for RISC-V, and run it in QEMU
    Emulate(riscv::Options),

    /// Remove each defence of protection keys in turn, and check that a test fails
    Defences(defences::Options),

    /// Kill workers and hosts and exhaust system resources, for a long time
    Soak(soak::Options),

    /// Run a test on random input for some minutes
    Fuzz(fuzz::Options),

    /// Run a program of this machine in a virtual machine with protection keys
    Guest(Box<guest::Arguments>),

    /// Run a program in another release of Debian
    Root(root::Options),

    /// Run a test program if it belongs to a suite
    #[command(hide = true)]
    Chosen(chosen::Options),
}

impl Action {
    /// The test suites to run. Empty means all.
    pub(crate) fn suites(&self) -> &[String] {
        match self {
            Self::Test { only, .. } => only,
            _ => &[],
        }
    }

    /// The task whose system packages this command needs, if it needs any.
    pub(crate) fn task(&self) -> Option<Task> {
        Some(match self {
            Self::Demo { .. } => Task::Demo,
            Self::Test { .. } | Self::Defences(_) | Self::Fuzz(_) | Self::Soak(_) => Task::Test,
            Self::Bench(_) => Task::Bench,
            Self::Lint => Task::Lint,
            Self::Package { .. } => Task::Demo,
            Self::Kernel(_) => Task::Kernel,
            Self::Libraries(_) => Task::Libraries,
            Self::Headers(_) => Task::Headers,
            Self::Places(_) => Task::Places,
            Self::Emulate(_) => Task::Emulate,
            Self::Guest(arguments) => arguments.task(),
            Self::Root(_) => Task::Roots,
            Self::Chosen(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Action, Cli};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn install_is_accepted_after_the_command() {
        let cli = Cli::try_parse_from(["xtask", "test", "--install"]).unwrap();
        assert!(cli.install);
    }

    #[test]
    fn only_takes_several() {
        for words in [&["--only", "unit", "--only", "demo"][..], &["--only", "unit,demo"]] {
            let words = ["xtask", "test"].into_iter().chain(words.iter().copied());
            let Action::Test { only, .. } = Cli::try_parse_from(words).unwrap().action else {
                panic!("not the test command");
            };
            assert_eq!(only, ["unit", "demo"]);
        }
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_list_of_suites() {
        let error = Cli::try_parse_from(["xtask", "test", "--only", "untit"]).unwrap_err();
        let message = error.to_string();
        for name in
            ["unit", "generator", "headers", "abi", "compile-fail", "conformance", "soak", "demo"]
        {
            assert!(message.contains(name), "{name} is not in: {message}");
        }
    }

    #[test]
    fn a_guest_needs_a_program_unless_it_is_only_looked_for() {
        for words in [&["--check"][..], &["--", "/bin/sh", "-c", "--check"]] {
            let words = ["xtask", "guest"].iter().chain(words);
            assert!(Cli::try_parse_from(words).is_ok());
        }
        for words in
            [&[][..], &["/bin/sh"], &["--check", "--", "/bin/sh"], &["--cpus=0", "--", "a"]]
        {
            let words = ["xtask", "guest"].iter().chain(words);
            assert!(Cli::try_parse_from(words).is_err());
        }
    }

    #[test]
    fn a_root_needs_a_release_and_a_program() {
        let words = ["xtask", "root", "trixie", "--build", "--", "cargo", "test", "--build"];
        let Action::Root(_) = Cli::try_parse_from(words).unwrap().action else {
            panic!("not the root command");
        };
        for words in [&["--", "true"][..], &["trixie"], &["hamm", "--", "true"]] {
            assert!(Cli::try_parse_from(["xtask", "root"].iter().chain(words)).is_err());
        }
    }

    #[test]
    fn what_follows_two_dashes_goes_to_the_demo() {
        let cli = Cli::try_parse_from(["xtask", "demo", "--", "--help"]).unwrap();
        let Action::Demo { args } = cli.action else {
            panic!("not the demo command");
        };
        assert_eq!(args, ["--help"]);
    }
}
