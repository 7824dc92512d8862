//! The libraries as this program links them.

use std::error::Error;
use std::path::Path;

use crate::files::c_files;
use crate::paper::Paper;
use crate::sources::Sources;

/// picolibc's settings for GCC.
const SPECS: &str = "--specs=picolibc.specs";

/// Compiles all of them to one archive.
pub(crate) fn compile(sources: &Sources) -> Result<(), Box<dyn Error>> {
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
    let paper = Paper::find(sources)?;
    build.includes(&paper.includes).files(&paper.sources);
    // `memcpy` and `memset` are Rust's, not picolibc's; these libraries hardly use them. This
    // program defines zlib's `malloc` and `free` (`native.rs`).
    build.try_compile("native")?;
    Ok(())
}
