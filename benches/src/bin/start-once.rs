//! Makes one instance of a small library, calls a function that does nothing, and exits. This
//! measures the cost of Omniglot in a short-lived program. The argument names the runtime.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

#[path = "../runtimes.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod runtimes;
#[path = "../small.rs"]
#[allow(dead_code)]
mod small;

use small::Workloads;

const MISSING: &str = "this machine lacks something for the runtime";

fn main() -> Result<ExitCode> {
    let runtime = std::env::args().nth(1).context("name a runtime")?;
    match runtime.as_str() {
        "native" => plain(),
        "process" => runtimes::process::<Workloads>()?.empty()?,
        "keys" => runtimes::keys::<Workloads>()?.context(MISSING)?.empty()?,
        "unprotected" => runtimes::unprotected::<Workloads<_>>()?.context(MISSING)?.empty()?,
        other => bail!("there is no runtime {other}"),
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(unsafe_code)]
fn plain() {
    unsafe extern "C" {
        fn empty();
    }
    // SAFETY: linked from c/workloads.c with this signature; it does nothing.
    unsafe { empty() };
}
