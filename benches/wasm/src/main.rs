//! The benchmarks' work in libraries that were compiled to WebAssembly, and in the same ones compiled
//! natively.
//!
//! The benchmark program starts this program, which runs its variants when it is their turn.

mod guest;
#[path = "../../src/inputs.rs"]
#[allow(dead_code)]
mod inputs;
mod module;
#[path = "../../src/native/mod.rs"]
#[allow(dead_code)]
mod native;
mod passed;
#[path = "../../src/statements.rs"]
mod statements;
mod wasm2c;
mod work;

use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use omniglot_turns::serve;

use inputs::Inputs;
use module::Modules;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (mut inputs, mut serves) = (Inputs::default(), false);
    while let Some(argument) = arguments.next() {
        let mut file = || arguments.next().map(PathBuf::from).context("a file's name is missing");
        match argument.to_str() {
            Some("--serve") => serves = true,
            Some("--images") => inputs.images = Some(file()?),
            Some("--text") => inputs.text = Some(file()?),
            _ => bail!("there is no option {}", argument.display()),
        }
    }
    if !serves {
        bail!("`cargo xtask bench` starts this program; by itself it does nothing");
    }
    let modules = Modules::new()?;
    serve(io::stdin().lock(), io::stdout(), |name, size| work::find(&inputs, &modules, name, size))
}
