//! A whole program: it is spawned, makes an instance, calls an empty function, and exits.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use omniglot::Unprotected;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::runtimes;
use crate::small::Workloads;

/// The program, in the same directory as this one.
const PROGRAM: &str = "start-once";

/// One operation is one run of the program.
pub(crate) fn process_start(_: &Inputs, size: usize) -> Result<Workload> {
    let this = std::env::current_exe().context("finding this program")?;
    let program = this.with_file_name(PROGRAM);
    ensure!(
        program.is_file(),
        "{} is not there: build all programs of the package, as `cargo xtask bench` does",
        program.display()
    );
    let mut variants = vec![variant("native", &program), variant("process", &program)];
    if runtimes::unprotected::<Workloads<Unprotected>>()?.is_some() {
        variants.push(variant("unprotected", &program));
    }
    if runtimes::keys::<Workloads>()?.is_some() {
        variants.push(variant("keys", &program));
    }
    Ok(Workload { size, variants })
}

fn variant(name: &'static str, program: &Path) -> Variant {
    let program = program.to_owned();
    Variant::new(name, move |count| {
        for _ in 0..count {
            let status = Command::new(&program).arg(name).stdin(Stdio::null()).status()?;
            ensure!(status.success(), "{} {name}: {status}", program.display());
        }
        Ok(())
    })
}
