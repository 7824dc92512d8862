//! Compiles the libraries a second time, with the same settings as in their domains. This program
//! links them and calls them directly.
#![forbid(unsafe_code)]

#[path = "../build/files.rs"]
mod files;
#[path = "../build/sources.rs"]
mod sources;

use std::error::Error;
use std::path::Path;

use files::c_files;
use sources::Sources;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sources/Cargo.toml");
/// picolibc's settings for GCC.
const SPECS: &str = "--specs=picolibc.specs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rustc-link-search={}/..", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=build.rs");
    let sources = Sources::find(Path::new(SOURCES))?;
    let monocypher = sources.directory("monocypher-sys", "Monocypher/src")?;
    let micro_ecc = sources.directory("micro-ecc-sys", "micro-ecc")?;
    let littlefs = sources.directory("littlefs2-sys", "littlefs")?;
    let zlib = sources.directory("libz-sys", "src/zlib")?;
    let mut build = cc::Build::new();
    build.opt_level(2).debug(false).warnings(false).pic(false).flag(SPECS);
    build.flag("-ffunction-sections").flag("-fdata-sections").flag("-fno-common");
    build.file(monocypher.join("monocypher.c"));
    build.file(micro_ecc.join("uECC.c"));
    for name in ["LFS_NO_MALLOC", "LFS_NO_DEBUG", "LFS_NO_WARN", "LFS_NO_ERROR"] {
        build.define(name, "1");
    }
    build.include(&littlefs).file(littlefs.join("lfs.c")).file(littlefs.join("lfs_util.c"));
    for file in ["adler32.c", "crc32.c", "inffast.c", "inflate.c", "inftrees.c", "zutil.c"] {
        build.file(zlib.join(file));
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../c");
    let lwip = sources.directory("lwip", "src")?;
    build.include(&own).include(own.join("lwip")).include(lwip.join("include"));
    build.file(own.join("network.c")).file(lwip.join("netif/ethernet.c"));
    for part in ["core", "core/ipv4"] {
        build.files(c_files(&lwip.join(part))?);
    }
    // `memcpy` and `memset` are Rust's, not picolibc's; these libraries hardly use them. This
    // program defines zlib's `malloc` and `free` (`native.rs`).
    build.try_compile("native")?;
    Ok(())
}
