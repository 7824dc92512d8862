//! The benchmarks' work as users would do it without Omniglot.
//!
//! The benchmark program starts this program, which runs its variants when it is their turn.

mod fork;
#[path = "../../src/inputs.rs"]
#[allow(dead_code)]
mod inputs;
mod ipc;
mod jobs;
#[path = "../../src/native/mod.rs"]
#[allow(dead_code)]
mod native;
mod rust;

use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use omniglot_turns::{Workload, serve};

use inputs::Inputs;
use jobs::Job;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (mut inputs, mut serves) = (Inputs::default(), false);
    while let Some(argument) = arguments.next() {
        let mut file = || arguments.next().map(PathBuf::from).context("a file's name is missing");
        match argument.to_str() {
            Some(ipc::WORKER) => return ipc::work(),
            Some("--serve") => serves = true,
            Some("--images") => inputs.images = Some(file()?),
            Some("--text") => inputs.text = Some(file()?),
            _ => bail!("there is no option {}", argument.display()),
        }
    }
    if !serves {
        bail!("`cargo xtask bench` starts this program; by itself it does nothing");
    }
    serve(io::stdin().lock(), io::stdout(), |name, size| find(&inputs, name, size))
}

/// Returns the peers' variants of a workload, or `None` if none of them can do it.
fn find(inputs: &Inputs, name: &str, size: usize) -> Result<Option<Workload>> {
    let Some((job, expected)) = Job::find(inputs, name, size)? else { return Ok(None) };
    let mut variants =
        vec![ipc::variant(job.clone(), &expected)?, fork::variant(job.clone(), &expected)?];
    variants.extend(rust::variant(&job, &expected)?);
    Ok(Some(Workload { size, variants }))
}
