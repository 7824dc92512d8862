//! `cargo xtask headers`: binds the corpus of headers, for its table or as tests.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo;
use crate::workspace::Workspace;

/// The options of `cargo xtask headers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Bind only this header, by its name in docs/headers.md (may be repeated, or name several with
    /// commas)
    #[arg(long, value_name = "HEADER", value_delimiter = ',')]
    only: Vec<String>,

    /// Check everything that is generated: the shims with each C compiler, the Rust code, the
    /// values of macros, and that docs/headers.md is up to date
    #[arg(long)]
    test: bool,
}

/// The package of the corpus.
const PACKAGE: [&str; 2] = ["--package", "omniglot-headers"];

/// Binds the headers, and returns the exit status.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut command = bind(options);
    command.current_dir(workspace.root());
    let status = command.status().context("could not start cargo")?;
    Ok(cargo::exit_code(status))
}

fn bind(options: &Options) -> Command {
    let names = if options.only.is_empty() { "all".to_owned() } else { options.only.join(",") };
    let mut cargo = cargo::command();
    if options.test {
        cargo.args(["test", "--locked"]).args(PACKAGE).env("OMNIGLOT_HEADERS", names);
    } else {
        cargo.args(["run", "--locked"]).args(PACKAGE).args(["--", &names]);
    }
    cargo
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Options, bind};

    #[test]
    fn all_headers_are_bound_unless_some_are_named() {
        let named = vec!["png.h".to_owned(), "uv.h".to_owned()];
        let command = bind(&Options { only: named.clone(), test: false });
        assert_eq!(command.get_args().last(), Some(OsStr::new("png.h,uv.h")));
        let command = bind(&Options { only: Vec::new(), test: false });
        assert_eq!(command.get_args().last(), Some(OsStr::new("all")));
        let command = bind(&Options { only: named, test: true });
        let variables: Vec<_> = command.get_envs().collect();
        let variable = (OsStr::new("OMNIGLOT_HEADERS"), Some(OsStr::new("png.h,uv.h")));
        assert!(variables.contains(&variable), "{variables:?}");
    }
}
