//! The suites of tests. To add one, add an entry to [`SUITES`].

use std::env;
use std::process::Command;

use anyhow::{Context, Error, Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::arm64::{self, Arm64};
use super::extent::Extent;
use crate::cargo::{self, HOST_TARGET};
use crate::fuzz;
use crate::places;
use crate::sanitize;
use crate::workspace::Workspace;

/// Tests that run together and are reported together.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The name for `--only`.
    pub(crate) name: &'static str,
    /// A description of what it tests, for `--help`.
    about: &'static str,
    /// The packages whose tests it runs. A package belongs to one suite only.
    packages: Packages,
    /// The tests that it runs in a guest, whichever package contains them.
    inside: &'static [Inside],
}

/// A test program that runs in a guest. Its package should set `test = false` for it, unless it
/// also runs elsewhere.
#[derive(Debug)]
struct Inside {
    package: &'static str,
    target: &'static str,
    /// The files that it needs besides itself: names of libraries, or paths relative to the
    /// workspace's root. Paths that start with `target/` are relative to the build directory.
    files: &'static [&'static str],
}

/// A selection of the workspace's packages.
#[derive(Debug)]
enum Packages {
    /// These packages.
    Only(&'static [&'static str]),
    /// Packages that belong to no other suite.
    Others,
    /// These packages, built so that loads of foreign memory can be changed.
    Faulty(&'static [&'static str]),
    /// Packages outside the workspace, whose programs run in QEMU.
    Emulated(&'static [Emulation]),
    /// The kernel, which is not in the workspace either.
    Kernel,
    /// The corpus of real libraries, a workspace of its own.
    Libraries,
    /// No packages of its own: it runs these tests of other suites on 64-bit Arm, in a guest.
    Arm64(&'static [Arm64]),
    /// No packages of its own: it runs tests of other suites in Debian releases.
    Releases,
    /// No packages of its own: it runs a host in every place, of which `unit` has the ordinary ones.
    Places,
    /// No packages of its own: it runs the attacks of other suites again, for a table by runtime.
    Attacks,
    /// No packages of its own: it runs the core's tests under a checker.
    Checked(Checker),
}

/// A tool that detects undefined behaviour.
#[derive(Clone, Copy, Debug)]
enum Checker {
    /// The compiler's sanitizers.
    Sanitizers,
    /// Miri.
    Miri,
}

/// A run of a program in QEMU.
#[derive(Debug)]
struct Emulation {
    /// The package's directory.
    directory: &'static str,
    /// Further arguments for `xtask emulate`.
    arguments: &'static [&'static str],
}

impl Emulation {
    fn command(&self, workspace: &Workspace) -> Result<Command> {
        let mut arguments = vec!["emulate", self.directory];
        arguments.extend(self.arguments);
        xtask(&arguments, workspace)
    }
}

/// All suites, in the order in which they run.
const SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        about: "Unit tests of all crates, and the examples in the documentation",
        packages: Packages::Others,
        inside: &[],
    },
    Suite {
        name: "sanitizers",
        about: "The core under the compiler's address and thread sanitizers",
        packages: Packages::Checked(Checker::Sanitizers),
        inside: &[],
    },
    Suite {
        name: "miri",
        about: "Only by name or with --all: the core in Miri, if a nightly toolchain has it",
        packages: Packages::Checked(Checker::Miri),
        inside: &[],
    },
    Suite {
        name: "generator",
        about: "Bindings generated from C headers, in build scripts and ahead of time",
        packages: Packages::Only(&["omniglot-build", "omniglot-cli"]),
        inside: &[],
    },
    Suite {
        name: "headers",
        about: "The share of real libraries' headers that is bound",
        packages: Packages::Only(&["omniglot-headers"]),
        inside: &[],
    },
    Suite {
        name: "abi",
        about: "Thousands of signatures, called in worker processes, as verified code, unprotected",
        packages: Packages::Only(&["omniglot-abi"]),
        inside: &[],
    },
    Suite {
        name: "compile-fail",
        about: "Programs that the compiler must reject",
        packages: Packages::Only(&["omniglot-compile-fail"]),
        inside: &[],
    },
    Suite {
        name: "conformance",
        about: "C libraries at work and under attack, in real worker processes",
        packages: Packages::Only(&["omniglot-conformance"]),
        inside: &[],
    },
    Suite {
        name: "soak",
        about: "Workers and hosts are killed, and system resources are exhausted",
        packages: Packages::Only(&["omniglot-soak"]),
        inside: &[],
    },
    Suite {
        name: "faults",
        about: "The conformance suite while loads of foreign memory return changed values",
        packages: Packages::Faulty(&["omniglot-faults"]),
        inside: &[],
    },
    Suite {
        name: "demo",
        about: "The demo, tested from outside",
        packages: Packages::Only(&["omniglot-demo"]),
        inside: &[],
    },
    Suite {
        name: "examples",
        about: "Complete programs over expat, SQLite and zlib",
        packages: Packages::Only(&["example-expat", "example-sqlite", "example-zlib"]),
        inside: &[],
    },
    Suite {
        name: "real",
        about: "Real libraries at their main jobs, each result confirmed by another implementation",
        packages: Packages::Libraries,
        inside: &[],
    },
    Suite {
        name: "keys",
        about: "Tests that need protection keys, in a virtual machine",
        packages: Packages::Only(&["omniglot-guest"]),
        inside: &[
            Inside { package: "omniglot-conformance", target: "keys", files: &[] },
            Inside { package: "omniglot-abi", target: "keys", files: &[] },
            Inside { package: "omniglot-guest", target: "inside", files: &[] },
            Inside { package: "omniglot-cli", target: "doctor", files: &["target/omniglot"] },
        ],
    },
    Suite {
        name: "in-process",
        about: "The runtimes in the host's process behind protection keys, in a virtual machine",
        packages: Packages::Only(&[]),
        inside: &[
            Inside { package: "omniglot-in-process", target: "calls", files: &[] },
            Inside { package: "omniglot-in-process", target: "failures", files: &[] },
            Inside { package: "omniglot-in-process", target: "output", files: &[] },
            Inside { package: "omniglot-in-process", target: "world", files: &[] },
            Inside { package: "omniglot-in-process", target: "in_process", files: &[] },
            Inside { package: "omniglot-in-process", target: "keys", files: &[] },
            Inside {
                package: "omniglot-in-process",
                target: "real",
                files: &[
                    "libpng16.so.16",
                    "libz.so.1",
                    "libsodium.so.23",
                    "libbrotlienc.so.1",
                    "libbrotlidec.so.1",
                ],
            },
        ],
    },
    Suite {
        name: "escapes",
        about: "Attempts to break out of domains behind protection keys, in a virtual machine",
        packages: Packages::Only(&[]),
        inside: &[Inside { package: "omniglot-conformance", target: "escapes", files: &[] }],
    },
    Suite {
        name: "distributions",
        about: "The demo and the conformance suite in other releases of Debian, also behind keys",
        packages: Packages::Releases,
        inside: &[],
    },
    Suite {
        name: "aarch64",
        about: "64-bit Arm in a virtual machine: conformance; by name attacks, ends, examples, demo",
        packages: Packages::Arm64(&[
            Arm64 { always: true, ..Arm64::new("omniglot-conformance", &["process"]) },
            Arm64 { guest: "aarch64-16k", ..Arm64::new("omniglot-conformance", &["process"]) },
            Arm64::new("omniglot-conformance", &["attacks", "owned"]),
            Arm64::new("omniglot-abi", &["process"]),
            Arm64::new("omniglot-in-process", &["lifetime", "resets"]),
            Arm64 {
                files: &["target/example-expat", "examples/expat/data"],
                too_long: &["a_large_document_comes_in_pieces"],
                ..Arm64::new("example-expat", &["documents", "program"])
            },
            Arm64 {
                files: &["target/example-sqlite", "examples/sqlite/data"],
                too_long: &["a_large_sort_stays_in_memory"],
                ..Arm64::new("example-sqlite", &["databases", "program"])
            },
            Arm64 {
                files: &["target/example-zlib"],
                ..Arm64::new("example-zlib", &["program", "streams"])
            },
            Arm64 {
                files: &["target/omniglot-demo", "demo/data"],
                has_pictures: true,
                ..Arm64::new("omniglot-demo", &["decoder", "demo"])
            },
        ]),
        inside: &[],
    },
    Suite {
        name: "places",
        about: "Only by name or with --all: a host in containers, sandboxes, limits, with musl",
        packages: Packages::Places,
        inside: &[],
    },
    Suite {
        name: "pmp",
        about: "Conformance suite, attacks, signatures under RISC-V's memory protection, in QEMU",
        packages: Packages::Emulated(&[
            // Counted instructions make the program's time independent of real time. On a busy
            // machine, time limits would otherwise expire too early, or interrupts come too rarely.
            Emulation { directory: "tests/pmp", arguments: &["--", "-icount", COUNTED] },
            Emulation { directory: "tests/pmp", arguments: &["--lockdown"] },
            Emulation { directory: "tests/abi-pmp", arguments: &[] },
        ]),
        inside: &[],
    },
    Suite {
        name: "kernel",
        about: "The kernel and its foreign libraries in QEMU, tested from inside and outside",
        packages: Packages::Kernel,
        inside: &[],
    },
    Suite {
        name: ATTACKS,
        about: "Only by name: the attacks of other suites again, and a table of them by runtime",
        packages: Packages::Attacks,
        inside: &[Inside { package: "omniglot-conformance", target: "escapes", files: &[] }],
    },
];

/// The name of the suite of attacks, which prints a table.
const ATTACKS: &str = "attacks";

/// Each instruction takes a nanosecond of virtual time. Waiting takes no real time.
const COUNTED: &str = "shift=0,sleep=off";

/// The variable by which the tests of escapes in a guest run all of them, and not a third.
const ALL_ESCAPES: &str = "OMNIGLOT_ESCAPES=all";

/// The time limit in seconds for tests in a guest, whose processors are slow.
pub(super) const INSIDE_TIMEOUT: &str = "1800";

/// The possible values of `--only`.
pub(crate) fn names() -> PossibleValuesParser {
    let values = SUITES.iter().map(|suite| PossibleValue::new(suite.name).help(suite.about));
    PossibleValuesParser::new(values)
}

/// The names of all suites.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// The suites called `names`. Without names, the suites of a usual run, or if `all` is set, every
/// suite that has tests of its own.
pub(super) fn named(names: &[String], all: bool) -> impl Iterator<Item = &'static Suite> {
    let wanted = move |suite: &&Suite| match names {
        [] => !suite.is_table() && (all || !suite.is_slow()),
        names => names.iter().any(|name| name == suite.name),
    };
    SUITES.iter().filter(wanted)
}

impl Suite {
    /// A package of this suite that the workspace lacks.
    pub(super) fn absent_package(&self, workspace: &Workspace) -> Option<&'static str> {
        if let Packages::Emulated(emulations) = self.packages {
            let mut directories = emulations.iter().map(|emulation| emulation.directory);
            return directories.find(|directory| !workspace.root().join(directory).is_dir());
        }
        self.packages().iter().copied().find(|package| !workspace.has(package))
    }

    /// Returns true if some of its tests need a guest.
    pub(super) fn needs_guest(&self) -> bool {
        !self.inside.is_empty() || self.needs_root()
    }

    /// Returns true if its tests run in root directories of Debian releases.
    pub(super) fn needs_root(&self) -> bool {
        matches!(self.packages, Packages::Releases)
    }

    /// Returns true if its tests run on 64-bit Arm.
    pub(super) fn needs_arm64(&self) -> bool {
        matches!(self.packages, Packages::Arm64(_))
    }

    /// Returns true if it needs the packages of the places in which hosts run.
    pub(super) fn needs_places(&self) -> bool {
        matches!(self.packages, Packages::Places)
    }

    /// Returns true if it needs the packages of the corpus of real libraries.
    pub(super) fn needs_libraries(&self) -> bool {
        matches!(self.packages, Packages::Libraries)
    }

    /// The reason why its checker of undefined behaviour is not available, if it is not. That is no
    /// failure, since the compiler need not come with one.
    pub(super) fn lacks_checker(&self) -> Option<Error> {
        match self.packages {
            Packages::Checked(Checker::Sanitizers) => sanitize::obstacle(),
            Packages::Checked(Checker::Miri) => sanitize::obstacle_to_miri(),
            _ => None,
        }
    }

    /// Returns true if a usual run leaves the suite out: Miri interprets, and takes ten minutes; for
    /// some places the host is built again.
    fn is_slow(&self) -> bool {
        matches!(self.packages, Packages::Checked(Checker::Miri) | Packages::Places)
    }

    /// Returns true if its results are printed as a table of attacks by runtime. All its tests are
    /// in other suites, too.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.packages, Packages::Attacks)
    }

    /// The commands that run this suite. They continue after a test has failed.
    ///
    /// If all suites run, they share one build.
    pub(super) fn commands(&self, extent: Extent, workspace: &Workspace) -> Result<Vec<Command>> {
        match self.packages {
            Packages::Emulated(emulations) => {
                let run = |emulation: &Emulation| emulation.command(workspace);
                return emulations.iter().map(run).collect();
            }
            Packages::Kernel => return Ok(vec![xtask(&["kernel", "--test"], workspace)?]),
            Packages::Libraries => return Ok(vec![xtask(&["libraries", "--test"], workspace)?]),
            Packages::Releases => bail!("each release has commands of its own"),
            Packages::Checked(Checker::Sanitizers) => return Ok(sanitize::commands(workspace)),
            Packages::Checked(Checker::Miri) => return Ok(vec![sanitize::miri(workspace)]),
            Packages::Faulty(_) => {
                let mut faulty = tests_by(fuzz::faulty_cargo(), workspace);
                faulty.args(self.selection());
                return Ok(vec![faulty]);
            }
            Packages::Places => return Ok(places::tests(workspace)),
            Packages::Attacks => return self.attacks(extent, workspace),
            Packages::Arm64(tests) => return arm64::commands(tests, extent, workspace),
            Packages::Only(_) | Packages::Others => {}
        }
        let mut commands = Vec::new();
        if !self.selection().is_empty() {
            commands.extend(self.here(extent.together, workspace)?);
        }
        if !self.inside.is_empty() {
            commands.push(self.inside(extent, workspace)?);
        }
        Ok(commands)
    }

    /// The commands that run this suite's tests on this machine.
    fn here(&self, together: bool, workspace: &Workspace) -> Result<Vec<Command>> {
        let mut here = test_command(workspace);
        if !together {
            here.args(self.selection());
            return Ok(vec![here]);
        }
        here.args(whole_workspace()).arg("--tests");
        let mut words = vec!["chosen"];
        let Packages::Only(packages) = self.packages else {
            let taken = SUITES.iter().flat_map(Self::packages);
            words.extend(repeat("--but", taken));
            here.arg("--config").arg(runner(&words)?);
            let mut documentation = test_command(workspace);
            documentation.args(whole_workspace()).arg("--doc");
            return Ok(vec![here, documentation]);
        };
        words.extend(repeat("--of", packages));
        here.arg("--config").arg(runner(&words)?);
        Ok(vec![here])
    }

    /// The commands that run the attacks on each runtime in turn: in a process, without protection,
    /// as verified code, behind protection keys, behind physical memory protection.
    fn attacks(&self, extent: Extent, workspace: &Workspace) -> Result<Vec<Command>> {
        let conformance = |target| {
            let mut command = test_command(workspace);
            command.args(["--package", "omniglot-conformance", "--test", target]);
            command
        };
        let mut unprotected = conformance("escapes");
        unprotected.args(["--", "unprotected::"]);
        let verified = ["sfi", "escapes"].map(|target| {
            let mut command = conformance(target);
            command.args(["--", "sfi::"]);
            command
        });
        let kernel = Emulation { directory: "tests/pmp", arguments: &["--", "-icount", COUNTED] };
        let (keys, pmp) = (self.inside(extent, workspace)?, kernel.command(workspace)?);
        let [verified, escaping] = verified;
        Ok(vec![conformance("attacks"), unprotected, verified, escaping, keys, pmp])
    }

    /// The command that runs this suite's tests in guests.
    fn inside(&self, extent: Extent, workspace: &Workspace) -> Result<Command> {
        let mut inside = test_command(workspace);
        let mut guest = guest_words(self.inside, workspace);
        if extent.thorough {
            guest.push(format!("--env={ALL_ESCAPES}"));
        }
        let guest: Vec<&str> = guest.iter().map(String::as_str).collect();
        if extent.together {
            let programs: Vec<_> =
                self.inside.iter().map(|test| (test.package, test.target)).collect();
            inside.args(whole_workspace());
            inside.arg("--config").arg(chosen_runner(&programs, &guest)?);
        } else {
            inside.arg("--config").arg(runner(&guest)?);
            inside.args(self.inside.iter().flat_map(|test| ["--package", test.package]));
        }
        inside.args(self.inside.iter().flat_map(|test| ["--test", test.target]));
        // What needs no keys runs on this machine, and there faster.
        inside.args(["--", "--skip", "unprotected::"]);
        Ok(inside)
    }

    /// The cargo arguments that select this suite's packages.
    fn selection(&self) -> Vec<&'static str> {
        match self.packages {
            Packages::Only(packages) | Packages::Faulty(packages) => repeat("--package", packages),
            Packages::Others => {
                let taken = SUITES.iter().flat_map(Self::packages);
                let mut arguments = vec!["--workspace"];
                arguments.extend(repeat("--exclude", taken));
                arguments
            }
            _ => Vec::new(),
        }
    }

    /// The packages that this suite names.
    fn packages(&self) -> &'static [&'static str] {
        match self.packages {
            Packages::Only(packages) | Packages::Faulty(packages) => packages,
            _ => &[],
        }
    }
}

/// A command that runs xtask itself for another purpose.
pub(super) fn xtask(arguments: &[&str], workspace: &Workspace) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("could not find xtask itself")?);
    command.args(arguments);
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    command.current_dir(workspace.root());
    Ok(command)
}

/// A `cargo test` command whose output is parsed: without colours, and with the names of test
/// programs.
pub(super) fn test_command(workspace: &Workspace) -> Command {
    tests_by(cargo::command(), workspace)
}

/// The same for another cargo command.
fn tests_by(mut command: Command, workspace: &Workspace) -> Command {
    command.args(["test", "--locked", "--no-fail-fast"]);
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    command.current_dir(workspace.root());
    command
}

/// The words of the xtask command that runs a program in a guest with the files of `tests`.
fn guest_words(tests: &[Inside], workspace: &Workspace) -> Vec<String> {
    let files = tests.iter().flat_map(|test| test.files);
    let files = files.map(|file| format!("--file={}", workspace.place(file).display()));
    ["guest", "--timeout", INSIDE_TIMEOUT].map(str::to_owned).into_iter().chain(files).collect()
}

/// Cargo's setting that has xtask's command `words` run these programs, each given with its package,
/// and passes over all others.
pub(super) fn chosen_runner(programs: &[(&str, &str)], words: &[&str]) -> Result<String> {
    let programs = programs.iter().map(|(package, name)| format!("--of={package}:{name}"));
    let programs: Vec<String> = programs.collect();
    let mut all = vec!["chosen"];
    all.extend(programs.iter().map(String::as_str));
    all.extend(words.iter().flat_map(|word| ["--by", word]));
    runner(&all)
}

/// The cargo arguments that select all packages, except for those that need another build.
pub(super) fn whole_workspace() -> Vec<&'static str> {
    let is_other = |suite: &&Suite| matches!(suite.packages, Packages::Faulty(_));
    let others = SUITES.iter().filter(is_other).flat_map(Suite::packages);
    let mut arguments = vec!["--workspace"];
    arguments.extend(repeat("--exclude", others));
    arguments
}

/// The cargo setting by which this program's command `words` runs tests.
pub(super) fn runner(words: &[&str]) -> Result<String> {
    runner_of(HOST_TARGET, words)
}

/// The same for tests that are built for `target`.
pub(super) fn runner_of(target: &str, words: &[&str]) -> Result<String> {
    // A list of strings has the same syntax in TOML and JSON.
    let words = serde_json::to_string(&words_of_runner(words)?)?;
    Ok(format!("target.{target}.runner={words}"))
}

/// The words of the command that runs a program by the xtask command `words`.
pub(super) fn words_of_runner(words: &[&str]) -> Result<Vec<String>> {
    let this = env::current_exe().context("could not tell where xtask is")?;
    let this = this.to_str().context("where xtask is has a name that is not UTF-8")?;
    Ok([&[this], words, &["--"]].concat().into_iter().map(str::to_owned).collect())
}

/// Puts `option` before each of `values`.
fn repeat(
    option: &'static str,
    values: impl IntoIterator<Item = &'static &'static str>,
) -> Vec<&'static str> {
    values.into_iter().flat_map(|value| [option, value]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::ffi::OsStr;

    use super::{Extent, SUITES, Suite, Workspace, named};

    fn find(name: &str) -> &'static Suite {
        named(&[name.to_owned()], false).next().unwrap()
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
        let names: Vec<&str> = named(&[], false).map(|suite| suite.name).collect();
        let all = [
            "unit",
            "sanitizers",
            "generator",
            "headers",
            "abi",
            "compile-fail",
            "conformance",
            "soak",
            "faults",
            "demo",
            "examples",
            "real",
            "keys",
            "in-process",
            "escapes",
            "distributions",
            "aarch64",
            "pmp",
            "kernel",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn the_order_of_names_does_not_matter() {
        let wanted = ["demo".to_owned(), "unit".to_owned(), "demo".to_owned()];
        let names: Vec<&str> = named(&wanted, false).map(|suite| suite.name).collect();
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

    const EXTENT: Extent = Extent { thorough: false, together: true, asked: false };

    /// The arguments of a suite's commands in a run of all suites.
    fn together(name: &str) -> Vec<Vec<String>> {
        let commands = find(name).commands(EXTENT, &Workspace::load().unwrap()).unwrap();
        let text = |argument: &OsStr| argument.to_str().unwrap().to_owned();
        commands.iter().map(|command| command.get_args().map(text).collect()).collect()
    }

    #[test]
    fn together_all_suites_select_the_same_packages() {
        for name in ["unit", "demo", "conformance", "keys", "escapes"] {
            for arguments in together(name) {
                assert!(arguments.contains(&"--workspace".to_owned()), "{arguments:?}");
                assert!(arguments.contains(&"omniglot-faults".to_owned()), "{arguments:?}");
                assert!(!arguments.contains(&"--package".to_owned()), "{arguments:?}");
            }
        }
    }

    #[test]
    fn together_each_suite_has_its_own_programs_run() {
        let runner =
            |name| together(name).concat().into_iter().find(|word| word.contains("runner="));
        assert!(runner("demo").unwrap().contains(r#""chosen","--of","omniglot-demo","--""#));
        assert!(runner("unit").unwrap().contains(r#""--but","omniglot-demo""#));
        let escapes = runner("escapes").unwrap();
        assert!(escapes.contains(r#""chosen","--of=omniglot-conformance:escapes","--by","guest""#));
    }
}
