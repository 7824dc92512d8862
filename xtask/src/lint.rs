//! `cargo xtask lint`: checks formatting, clippy's lints, the documentation, the invariants that
//! SAFETY comments cite, and where conditions on the architecture stand.

mod machines;
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
        name: "clippy, with default features only",
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
        name: "benches/wasm: formatting",
        args: &["fmt", "--manifest-path", WASM, "--check"],
        variables: &[],
    },
    Check {
        name: "benches/wasm: clippy",
        args: &[
            "clippy",
            "--locked",
            "--manifest-path",
            WASM,
            "--target-dir",
            "target/wasm",
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

/// The check of the corpus of real libraries, which needs the libraries' packages.
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

/// The manifests of the alternatives to Omniglot, each a workspace of its own.
const PEERS: &str = "benches/peers/Cargo.toml";
const WASM: &str = "benches/wasm/Cargo.toml";

/// The checks of workspaces for RISC-V. They need rustup's toolchain, since Debian's compiler for
/// RISC-V comes without clippy.
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

/// The clippy arguments for a workspace for RISC-V.
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

/// The checks that can run on this machine.
fn checks() -> impl Iterator<Item = &'static Check> {
    let has_target = riscv::sysroot().is_some_and(|sysroot| riscv::has_target(&sysroot));
    if !has_target {
        eprintln!("lint: skipped the kernel, since rustup's toolchain lacks {}", riscv::TARGET);
    }
    let has_libraries = setup::has_libraries();
    if !has_libraries {
        eprintln!("lint: skipped tests/real; `cargo xtask libraries` says what it needs");
    }
    let real = Some(&REAL_CHECK).filter(|_| has_libraries);
    CHECKS.iter().chain(real).chain(RISCV_CHECKS.iter().filter(move |_| has_target))
}

/// Runs every check, even after one has failed. Fails if any did.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    for check in checks() {
        if !check.passes(&workspace)? {
            failed.push(check.name);
        }
    }
    if !is_free_of("SAFETY comments", &safety::complaints(workspace.root())?) {
        failed.push("SAFETY comments");
    }
    if !is_free_of("architectures", &machines::complaints(workspace.root())?) {
        failed.push("architectures");
    }
    if failed.is_empty() {
        eprintln!("lint: no problems found");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("lint: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Returns true if there are no complaints. Prints them.
fn is_free_of(name: &str, complaints: &[String]) -> bool {
    eprintln!("== {name}");
    for complaint in complaints {
        eprintln!("{complaint}");
    }
    complaints.is_empty()
}

impl Check {
    /// Runs the check with its output on the terminal. Returns true if it succeeded.
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
