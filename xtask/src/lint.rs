//! `cargo xtask lint`: formatting, clippy's lints and the documentation.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cargo;
use crate::workspace::Workspace;

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
        args: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        variables: &[],
    },
    Check {
        name: "documentation",
        args: &["doc", "--workspace", "--no-deps"],
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
    },
];

/// Runs every check, even after one has failed, and fails if any did.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    for check in CHECKS {
        if !check.passes(&workspace)? {
            failed.push(check.name);
        }
    }
    if failed.is_empty() {
        eprintln!("lint: nothing to complain about");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("lint: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
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
