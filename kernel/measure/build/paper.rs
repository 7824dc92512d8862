//! The libraries of the paper's work: BearSSL's HMAC-SHA256, littlefs and lwIP, with the C that
//! goes with them. They share one image, since only one of them runs at a time.

use std::error::Error;
use std::path::{Path, PathBuf};

use omniglot_build::Library;

use crate::files::c_files;
use crate::map::SPARE;
use crate::sources::Sources;

/// What the kernel does not use of them.
pub(crate) struct Paper {
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) sources: Vec<PathBuf>,
}

impl Paper {
    pub(crate) fn find(sources: &Sources) -> Result<Self, Box<dyn Error>> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("c");
        let bearssl = sources.directory("bearssl-sys", "lib/BearSSL")?;
        let files = ["mac/hmac.c", "hash/sha2small.c", "codec/dec32be.c", "codec/enc32be.c"];
        let mut sources: Vec<_> =
            files.map(|file| bearssl.join("src").join(file)).into_iter().collect();
        sources.push(own.join("paper.c"));
        Ok(Self { includes: vec![own, bearssl.join("inc"), bearssl.join("src")], sources })
    }
}

/// Binds the functions that the paper's work calls.
pub(crate) fn bind(sources: &Sources) -> Result<(), Box<dyn Error>> {
    let littlefs = sources.directory("littlefs2-sys", "littlefs")?;
    let lwip = sources.directory("lwip", "src")?;
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../c");
    let paper = Paper::find(sources)?;
    let mut files = paper.sources;
    files.extend([littlefs.join("lfs.c"), littlefs.join("lfs_util.c")]);
    files.extend([kernel.join("network.c"), lwip.join("netif/ethernet.c")]);
    for part in ["core", "core/ipv4"] {
        files.extend(c_files(&lwip.join(part))?);
    }
    let mut includes = paper.includes;
    includes.extend([littlefs, kernel.join("lwip"), kernel, lwip.join("include")]);
    let quiet = ["LFS_NO_MALLOC", "LFS_NO_DEBUG", "LFS_NO_WARN", "LFS_NO_ERROR"];
    let library = Library::new("paper").region(SPARE.start, SPARE.len).exchange(16 << 10);
    let library = quiet.into_iter().fold(library, |library, name| library.define(name, "1"));
    let library = includes.iter().fold(library, Library::include);
    let library = files.into_iter().fold(library, Library::source);
    library
        .header("paper.h")
        .allowlist_function("hmac_start|br_hmac_(update|out)")
        .allowlist_function("ram_(disk|file)|lfs_(format|mount)")
        .allowlist_function("lfs_file_(opencfg|write|rewind|read|close)")
        .allowlist_function("echo_start|network_netif|pbuf_(alloc|take)|netif_input")
        .allowlist_type("lfs_open_flags")
        .generate()?;
    Ok(())
}
