//! Compiles the libraries a second time, with the same settings as in their domains. This program
//! links them and calls them directly. Binds the libraries of the paper's work, and links them to
//! a domain of their own.
#![forbid(unsafe_code)]

#[path = "../../build/files.rs"]
mod files;
#[path = "../../hardware/src/map.rs"]
mod map;
mod native;
mod paper;
#[path = "../../build/sources.rs"]
mod sources;

use std::error::Error;
use std::path::Path;

use sources::Sources;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sources/Cargo.toml");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rustc-link-search={}/..", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    for file in ["build", "c", "../build", "../c", "../memory.x", "../sources/Cargo.lock"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-changed=../hardware/src/map.rs");
    let sources = Sources::find(Path::new(SOURCES))?;
    native::compile(&sources)?;
    paper::bind(&sources)
}
