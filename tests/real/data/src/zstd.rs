//! Zstandard compresses text, on one thread or on several.

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject, tool};

omniglot::include_library!("zstd");

pub(crate) use one::ZSTD;
pub(crate) use several::ZSTD_THREADS;

/// On the caller's thread.
mod one {
    use super::*;

    subject! {
        ZSTD: Zstd = "zstd" from "libzstd-dev",
        does: "compresses 2 MB of text and decompresses it",
        confirmed: "the command `zstd` decompresses it, equal",
        builder: |_input| [],
    }

    fn run<R: Runtime>(zstd: &mut Zstd<R>, text: &String) -> omniglot::Result<Output> {
        round_trip(zstd, text, 0)
    }
}

/// Requests two more threads, which are not available, and then uses only the caller's.
mod several {
    use super::*;

    subject! {
        ZSTD_THREADS: Zstd = "zstd-threads" from "libzstd-dev",
        does: "compresses 2 MB of text, asked to use two threads (it does without)",
        confirmed: "the command `zstd` decompresses it, equal",
        builder: |_input| [],
    }

    /// A context that cannot get its threads returns an error; a context without threads then
    /// works.
    fn run<R: Runtime>(zstd: &mut Zstd<R>, text: &String) -> omniglot::Result<Output> {
        round_trip(zstd, text, 2).or_else(|_| round_trip(zstd, text, 0))
    }
}

fn input() -> Result<String> {
    Ok(prose(2 << 20))
}

/// The compressed text, and the result of decompressing it.
type Output = (Vec<u8>, Vec<u8>);

fn round_trip<R: Runtime>(
    zstd: &mut Zstd<R>,
    text: &str,
    threads: i32,
) -> omniglot::Result<Output> {
    const NO: Error = Error::Misuse("Zstandard says no");
    zstd.scope(|zstd| {
        let source = zstd.copy_in(text.as_bytes())?;
        let room = zstd.ZSTD_compressBound(text.len())?;
        let packed = zstd.reserve::<u8>(room)?;
        let context = zstd.ZSTD_createCCtx()?;
        let workers = ZSTD_cParameter::ZSTD_c_nbWorkers;
        zstd.ZSTD_CCtx_setParameter(context, workers, threads)?;
        let len = zstd.ZSTD_compress2(context, packed, room, source, text.len())?;
        zstd.ZSTD_freeCCtx(context)?;
        let packed = packed.range(0, len).ok_or(NO)?;
        let unpacked = zstd.reserve::<u8>(text.len())?;
        let unpacked_len = zstd.ZSTD_decompress(unpacked, text.len(), packed, len)?;
        let unpacked = unpacked.range(0, unpacked_len).ok_or(NO)?;
        Ok((zstd.view_slice(packed)?.to_vec(), zstd.view_slice(unpacked)?.to_vec()))
    })
}

fn confirm(text: &String, (packed, unpacked): &Output) -> Result<()> {
    ensure!(tool("zstd", &["-dc"], packed)? == text.as_bytes(), "the text differs");
    ensure!(unpacked == text.as_bytes() && packed.len() < text.len() / 2, "{}", packed.len());
    Ok(())
}
