//! Which functions of each library are bound, and how the library is built.

use std::error::Error;
use std::path::Path;

use omniglot_build::Library;

use crate::files::c_files;
use crate::map::{self, Range};
use crate::sources::Sources;

type Outcome = Result<(), Box<dyn Error>>;

/// Room in the host's part of the window: the largest messages that the kernel passes, and results.
const MESSAGES: u32 = 64 << 10;

fn library(name: &str, region: Range) -> Library {
    Library::new(name).region(region.start, region.len)
}

/// Hashes, encryption, key exchange and signatures. It needs only memory.
pub(crate) fn monocypher(sources: &Sources) -> Outcome {
    let directory = sources.directory("monocypher-sys", "Monocypher/src")?;
    let optional = directory.join("optional");
    library("monocypher", map::MONOCYPHER)
        .stack(16 << 10)
        .exchange(MESSAGES)
        .header("monocypher.h")
        .header("monocypher-ed25519.h")
        .include(&directory)
        .include(&optional)
        .source(directory.join("monocypher.c"))
        .source(optional.join("monocypher-ed25519.c"))
        .allowlist_function("crypto_(blake2b|aead_(un)?lock|x25519.*|wipe|verify32)")
        .allowlist_function("crypto_ed25519_(key_pair|sign|check)")
        .generate()?;
    Ok(())
}

/// Signatures over NIST's curves. A callback provides random numbers.
pub(crate) fn micro_ecc(sources: &Sources) -> Outcome {
    let directory = sources.directory("micro-ecc-sys", "micro-ecc")?;
    library("micro_ecc", map::MICRO_ECC)
        .header("uECC.h")
        .include(&directory)
        .source(directory.join("uECC.c"))
        .allowlist_function("uECC_(secp256r1|set_rng|make_key|sign|verify|valid_public_key)")
        .allowlist_function("uECC_(compute_public_key|shared_secret)")
        .generate()?;
    Ok(())
}

/// A file system. Callbacks implement its device, and the kernel provides all of its memory.
pub(crate) fn littlefs(sources: &Sources) -> Outcome {
    let directory = sources.directory("littlefs2-sys", "littlefs")?;
    let quiet = ["LFS_NO_MALLOC", "LFS_NO_DEBUG", "LFS_NO_WARN", "LFS_NO_ERROR"];
    quiet
        .into_iter()
        .fold(library("littlefs", map::LITTLEFS), |library, name| library.define(name, "1"))
        .exchange(MESSAGES)
        .header("lfs.h")
        .include(&directory)
        .source(directory.join("lfs.c"))
        .source(directory.join("lfs_util.c"))
        .allowlist_function("lfs_(format|mount|unmount|remove|rename|stat|mkdir|crc|fs_size)")
        .allowlist_function("lfs_file_(opencfg|close|read|write|size|sync|truncate)")
        .allowlist_function("lfs_dir_(open|close|read)")
        .allowlist_type("lfs_(error|open_flags|type|config|file_config|info)")
        .allowlist_type("lfs(_file|_dir)?_t")
        .generate()?;
    Ok(())
}

/// TCP/IP without an operating system. The kernel calls it when a frame has arrived and when time
/// has passed.
pub(crate) fn lwip(sources: &Sources) -> Outcome {
    let directory = sources.directory("lwip", "src")?;
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("c");
    let mut library = library("lwip", map::LWIP)
        .stack(16 << 10)
        .exchange(16 << 10)
        .header("network.h")
        .include(&own)
        .include(own.join("lwip"))
        .include(directory.join("include"))
        .source(own.join("network.c"))
        .source(directory.join("netif/ethernet.c"));
    for part in ["core", "core/ipv4"] {
        for source in c_files(&directory.join(part))? {
            library = library.source(source);
        }
    }
    library
        .function_macro("tcp_sndbuf", "u16_t (const struct tcp_pcb *pcb)")
        .allowlist_function("network_.*|sys_check_timeouts|dhcp_start")
        .allowlist_function("tcp_(new|bind|listen_with_backlog|accept|arg|recv|sent|err)")
        .allowlist_function("tcp_(write|output|recved|close|abort|setprio|shutdown)")
        .allowlist_function("pbuf_(free|free_header|cat|copy_partial)")
        .allowlist_type("err_enum_t")
        .allowlist_var("TCP_WRITE_FLAG_.*|ERR_.*")
        .generate()?;
    Ok(())
}

/// Decompression.
pub(crate) fn zlib(sources: &Sources) -> Outcome {
    let directory = sources.directory("libz-sys", "src/zlib")?;
    let files = ["adler32.c", "crc32.c", "inffast.c", "inflate.c", "inftrees.c", "zutil.c"];
    files
        .into_iter()
        .fold(library("zlib", map::ZLIB), |library, file| library.source(directory.join(file)))
        .exchange(MESSAGES)
        .heap(64 << 10)
        .header("zlib.h")
        .include(&directory)
        .allowlist_function("zlibVersion|inflate(Init2_|End|Reset)?|crc32|adler32")
        .allowlist_type("z_stream")
        .allowlist_var("Z_.*")
        .generate()?;
    Ok(())
}
