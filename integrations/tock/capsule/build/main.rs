//! Binds the C libraries that the capsule uses, and links each to its range of the memory map.
#![forbid(unsafe_code)]

#[path = "../../memory.rs"]
mod memory;
#[path = "../../../../kernel/build/sources.rs"]
mod sources;

use std::error::Error;
use std::path::Path;

use memory::Range;
use omniglot_build::Library;
use sources::Sources;

/// The manifest that pins the C sources, the same as for this project's own kernel.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../kernel/sources/Cargo.toml");

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    for file in ["build", "../memory.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-changed={SOURCES}");
    let sources = Sources::find(Path::new(SOURCES))?;
    monocypher(&sources)?;
    littlefs(&sources)
}

fn library(name: &str, region: Range) -> Library {
    Library::new(name).region(region.start, region.len)
}

/// Hashes and signatures. It needs only memory.
fn monocypher(sources: &Sources) -> Outcome {
    let directory = sources.directory("monocypher-sys", "Monocypher/src")?;
    let optional = directory.join("optional");
    library("monocypher", memory::MONOCYPHER)
        .stack(16 << 10)
        .exchange(64 << 10)
        .header("monocypher.h")
        .header("monocypher-ed25519.h")
        .include(&directory)
        .include(&optional)
        .source(directory.join("monocypher.c"))
        .source(optional.join("monocypher-ed25519.c"))
        .allowlist_function("crypto_blake2b|crypto_ed25519_(key_pair|sign|check)|crypto_wipe")
        .generate()?;
    Ok(())
}

/// A file system. Callbacks implement its device, and the capsule provides all of its memory.
fn littlefs(sources: &Sources) -> Outcome {
    let directory = sources.directory("littlefs2-sys", "littlefs")?;
    let quiet = ["LFS_NO_MALLOC", "LFS_NO_DEBUG", "LFS_NO_WARN", "LFS_NO_ERROR"];
    quiet
        .into_iter()
        .fold(library("littlefs", memory::LITTLEFS), |library, name| library.define(name, "1"))
        .exchange(16 << 10)
        .header("lfs.h")
        .include(&directory)
        .source(directory.join("lfs.c"))
        .source(directory.join("lfs_util.c"))
        .allowlist_function("lfs_(format|mount|unmount|crc)|lfs_file_(opencfg|close|read|write)")
        .allowlist_type("lfs_(error|open_flags|config|file_config)|lfs(_file)?_t")
        .generate()?;
    Ok(())
}
