//! Compiles each library from the same sources: to a WebAssembly module; to another one, which
//! wasm2c turns into C again; and natively.
#![forbid(unsafe_code)]

mod compile;
#[path = "../../../kernel/build/files.rs"]
mod files;
mod libraries;
#[path = "../../../kernel/build/sources.rs"]
mod sources;
mod wasm2c;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use sources::Sources;

fn main() -> Result<(), Box<dyn Error>> {
    for file in ["build", "c", "../c", "../../kernel/build", "sources/Cargo.lock"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let sources =
        Sources::find(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sources/Cargo.toml")))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo set no OUT_DIR")?);
    let libraries = libraries::all(&sources, &out)?;
    compile::modules(&libraries, &out)?;
    wasm2c::library(&libraries, &out)?;
    libraries.iter().for_each(compile::natively);
    Ok(())
}
