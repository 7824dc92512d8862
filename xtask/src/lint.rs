//! `cargo xtask lint`: formatting, clippy's lints, the documentation, and what SAFETY comments
//! argue from.

mod safety;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo, riscv, setup};

/// One check: a run of cargo that has to succeed.
struct Check {
    name: &'static str,
    args: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

/// The checks in the order in which they run, quickest first.
const CHECKS: &[Check] = &[
    Check { name: "formatting", args: &["fmt", "--all", "--check"], variables: &[] },
    Check {
        name: "clippy",
        args: &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
        variables: &[],
    },
    Check {
        name: "clippy, of what users get who ask for no feature",
        args: &["clippy", "--locked", "--package", "omniglot", "--", "-D", "warnings"],
        variables: &[],
    },
    Check {
        name: "documentation",
        args: &["doc", "--locked", "--workspace", "--no-deps"],
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Check {
        name: "benches/peers: formatting",
        args: &["fmt", "--manifest-path", PEERS, "--check"],
        variables: &[],
    },
    Check {
        name: "benches/peers: clippy",
        args: &[
            "clippy",
            "--locked",
            "--manifest-path",
            PEERS,
            "--target-dir",
            "target/peers",
            "--",
            "-D",
            "warnings",
        ],
        variables: &[],
    },
    Check {
        name: "tests/real: formatting",
        args: &["fmt", "--manifest-path", REAL, "--all", "--check"],
        variables: &[],
    },
];

/// What takes the packages of the corpus of real libraries.
const REAL_CHECK: Check = Check {
    name: "tests/real: clippy",
    args: &[
        "clippy",
        "--locked",
        "--manifest-path",
        REAL,
        "--workspace",
        "--target-dir",
        "target",
        "--",
        "-D",
        "warnings",
    ],
    variables: &[],
};

const REAL: &str = "tests/real/Cargo.toml";

/// What users would pick instead, a workspace of its own.
const PEERS: &str = "benches/peers/Cargo.toml";

/// The checks of what runs on another machine, and is in workspaces of its own. Debian's
/// compiler for that machine comes without clippy, so they need rustup's.
const RISCV_CHECKS: &[Check] = &[
    riscv_check("the kernel: formatting", &["fmt", "--manifest-path", KERNEL, "--all", "--check"]),
    riscv_check("the kernel: clippy", &riscv_clippy(KERNEL)),
    riscv_check("tests/pmp: formatting", &["fmt", "--manifest-path", PMP, "--all", "--check"]),
    riscv_check("tests/pmp: clippy", &riscv_clippy(PMP)),
    riscv_check("tests/abi-pmp: formatting", &["fmt", "--manifest-path", ABI, "--all", "--check"]),
    riscv_check("tests/abi-pmp: clippy", &riscv_clippy(ABI)),
];

const KERNEL: &str = "kernel/Cargo.toml";
const PMP: &str = "tests/pmp/Cargo.toml";
const ABI: &str = "tests/abi-pmp/Cargo.toml";

const fn riscv_check(name: &'static str, args: &'static [&'static str]) -> Check {
    Check { name, args, variables: &[] }
}

/// The arguments with which clippy checks a workspace for RISC-V.
const fn riscv_clippy(manifest: &'static str) -> [&'static str; 11] {
    [
        "clippy",
        "--manifest-path",
        manifest,
        "--workspace",
        "--target",
        riscv::TARGET,
        "--target-dir",
        "target/riscv",
        "--",
        "-D",
        "warnings",
    ]
}

/// All the checks that can be made here.
fn checks() -> impl Iterator<Item = &'static Check> {
    let has_target = riscv::sysroot().is_some_and(|sysroot| riscv::has_target(&sysroot));
    if !has_target {
        eprintln!("lint: the kernel is left out, as rustup's toolchain lacks {}", riscv::TARGET);
    }
    let has_libraries = setup::has_libraries();
    if !has_libraries {
        eprintln!("lint: tests/real is left out; `cargo xtask libraries` says what it needs");
    }
    let real = Some(&REAL_CHECK).filter(|_| has_libraries);
    CHECKS.iter().chain(real).chain(RISCV_CHECKS.iter().filter(move |_| has_target))
}

/// Runs every check, even after one has failed, and fails if any did.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    for check in checks() {
        if !check.passes(&workspace)? {
            failed.push(check.name);
        }
    }
    if !arguments_are_cited(&workspace)? {
        failed.push("SAFETY comments");
    }
    if failed.is_empty() {
        eprintln!("lint: nothing to complain about");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("lint: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Whether every SAFETY comment names an invariant; says which do not.
fn arguments_are_cited(workspace: &Workspace) -> Result<bool> {
    eprintln!("== SAFETY comments");
    let complaints = safety::complaints(workspace.root())?;
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(complaints.is_empty())
}

impl Check {
    /// Runs the check with its output on the terminal.
    fn passes(&self, workspace: &Workspace) -> Result<bool> {
        eprintln!("== {}: cargo {}", self.name, self.args.join(" "));
        let status = cargo::command()
            .args(self.args)
            .envs(self.variables.iter().copied())
            .current_dir(workspace.root())
            .status()
            .context("could not start cargo")?;
        Ok(status.success())
    }
}
