//! The suites of tests. To add one, add an entry to [`SUITES`].

use std::env;
use std::process::Command;

use anyhow::{Context, Result};
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::cargo;
use crate::workspace::Workspace;

/// Tests that are run and reported on together.
#[derive(Debug)]
pub(crate) struct Suite {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What it tests, for `--help`.
    about: &'static str,
    /// The packages whose tests it runs. A package belongs to one suite.
    packages: Packages,
}

/// Some of the workspace's packages.
#[derive(Debug)]
enum Packages {
    /// These.
    Only(&'static [&'static str]),
    /// Those that belong to no other suite.
    Others,
    /// A package outside the workspace, by its directory, whose program runs in QEMU.
    Emulated(&'static str),
    /// The kernel, which is not in the workspace either.
    Kernel,
}

/// All the suites, in the order in which they run.
const SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        about: "What each crate does by itself, and the examples in the documentation",
        packages: Packages::Others,
    },
    Suite {
        name: "generator",
        about: "What is generated from C headers, in build scripts and ahead of time",
        packages: Packages::Only(&["omniglot-build", "omniglot-cli"]),
    },
    Suite {
        name: "headers",
        about: "How much of real libraries' headers is bound",
        packages: Packages::Only(&["omniglot-headers"]),
    },
    Suite {
        name: "abi",
        about: "Thousands of signatures, called in a real worker process",
        packages: Packages::Only(&["omniglot-abi"]),
    },
    Suite {
        name: "compile-fail",
        about: "Programs that the compiler has to refuse",
        packages: Packages::Only(&["omniglot-compile-fail"]),
    },
    Suite {
        name: "conformance",
        about: "C libraries at work and under attack, in real worker processes",
        packages: Packages::Only(&["omniglot-conformance"]),
    },
    Suite {
        name: "demo",
        about: "The demo, from the outside",
        packages: Packages::Only(&["omniglot-demo"]),
    },
    Suite {
        name: "examples",
        about: "Complete programs over expat, SQLite and zlib",
        packages: Packages::Only(&["example-expat", "example-sqlite", "example-zlib"]),
    },
    Suite {
        name: "pmp",
        about: "The conformance suite and attacks under RISC-V's memory protection, in QEMU",
        packages: Packages::Emulated("tests/pmp"),
    },
    Suite {
        name: "kernel",
        about: "The kernel and its foreign libraries, in QEMU, from inside and outside",
        packages: Packages::Kernel,
    },
];

/// The values that `--only` takes.
pub(crate) fn names() -> PossibleValuesParser {
    let values = SUITES.iter().map(|suite| PossibleValue::new(suite.name).help(suite.about));
    PossibleValuesParser::new(values)
}

/// The suites called `names`, or all of them if there are no names.
pub(super) fn named(names: &[String]) -> impl Iterator<Item = &'static Suite> {
    let wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| name == suite.name);
    SUITES.iter().filter(wanted)
}

impl Suite {
    /// A package of this suite's which the workspace does not have.
    pub(super) fn absent_package(&self, workspace: &Workspace) -> Option<&'static str> {
        if let Packages::Emulated(directory) = self.packages {
            return Some(directory).filter(|directory| !workspace.root().join(directory).is_dir());
        }
        self.packages().iter().copied().find(|package| !workspace.has(package))
    }

    /// The command that runs this suite, even after some of its tests have failed.
    pub(super) fn command(&self, workspace: &Workspace) -> Result<Command> {
        let mut command = match self.packages {
            Packages::Emulated(directory) => xtask(&["emulate", directory])?,
            Packages::Kernel => xtask(&["kernel", "--test"])?,
            _ => self.cargo_test(),
        };
        // Its output is to be read by us: without colours, and with the names of what it runs.
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
        command.current_dir(workspace.root());
        Ok(command)
    }

    fn cargo_test(&self) -> Command {
        let mut command = cargo::command();
        command.args(["test", "--no-fail-fast"]).args(self.selection());
        command
    }

    /// The arguments with which cargo selects this suite's packages.
    fn selection(&self) -> Vec<&'static str> {
        match self.packages {
            Packages::Only(packages) => repeat("--package", packages),
            Packages::Others => {
                let taken = SUITES.iter().flat_map(Self::packages);
                let mut arguments = vec!["--workspace"];
                arguments.extend(repeat("--exclude", taken));
                arguments
            }
            Packages::Emulated(_) | Packages::Kernel => Vec::new(),
        }
    }

    /// The packages this suite names.
    fn packages(&self) -> &'static [&'static str] {
        match self.packages {
            Packages::Only(packages) => packages,
            Packages::Others | Packages::Emulated(_) | Packages::Kernel => &[],
        }
    }
}

/// xtask itself once more, to do something else.
fn xtask(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("could not find xtask itself")?);
    command.args(arguments);
    Ok(command)
}

/// `option` before each of `values`.
fn repeat(
    option: &'static str,
    values: impl IntoIterator<Item = &'static &'static str>,
) -> Vec<&'static str> {
    values.into_iter().flat_map(|value| [option, value]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{SUITES, Suite, named};

    fn find(name: &str) -> &'static Suite {
        named(&[name.to_owned()]).next().unwrap()
    }

    #[test]
    fn no_two_suites_share_a_name_or_a_package() {
        let mut seen = HashSet::new();
        for suite in SUITES {
            assert!(seen.insert(suite.name), "{} is there twice", suite.name);
            for package in suite.packages() {
                assert!(seen.insert(package), "{package} is there twice");
            }
        }
    }

    #[test]
    fn without_names_all_suites_run_in_order() {
        let names: Vec<&str> = named(&[]).map(|suite| suite.name).collect();
        let all = [
            "unit",
            "generator",
            "headers",
            "abi",
            "compile-fail",
            "conformance",
            "demo",
            "examples",
            "pmp",
            "kernel",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn the_order_of_names_does_not_matter() {
        let wanted = ["demo".to_owned(), "unit".to_owned(), "demo".to_owned()];
        let names: Vec<&str> = named(&wanted).map(|suite| suite.name).collect();
        assert_eq!(names, ["unit", "demo"]);
    }

    #[test]
    fn a_suite_selects_its_packages() {
        assert_eq!(find("demo").selection(), ["--package", "omniglot-demo"]);
    }

    #[test]
    fn unit_leaves_out_what_the_other_suites_run() {
        let selection = find("unit").selection();
        assert_eq!(selection[0], "--workspace");
        for suite in SUITES {
            for package in suite.packages() {
                let excluded = selection.windows(2).any(|pair| pair == ["--exclude", package]);
                assert!(excluded, "{package}");
            }
        }
    }
}
