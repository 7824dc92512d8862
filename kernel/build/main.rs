//! Binds the C libraries that the kernel uses, and links each to its range of the memory map. Links
//! the kernel itself as `memory.x` says.
#![forbid(unsafe_code)]

mod files;
mod libraries;
#[path = "../hardware/src/map.rs"]
mod map;
mod sample;
mod sources;

use std::error::Error;
use std::path::Path;

use sources::Sources;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    for file in ["build", "c", "memory.x", "hardware/src/map.rs", "sources/Cargo.lock"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let sources =
        Sources::find(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sources/Cargo.toml")))?;
    libraries::monocypher(&sources)?;
    libraries::micro_ecc(&sources)?;
    libraries::littlefs(&sources)?;
    libraries::lwip(&sources)?;
    libraries::zlib(&sources)?;
    sample::compress(&sources)?;
    Ok(())
}
