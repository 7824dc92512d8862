//! Zstandard compresses text, on one thread or on several.

use anyhow::{Result, ensure};
use omniglot::{Error, Permission, Runtime};
use real_subject::{prose, subject, tool};

omniglot::include_library!("zstd");

pub(crate) use none::ZSTD_NO_THREADS;
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

/// With two more threads.
mod several {
    use super::*;

    subject! {
        ZSTD_THREADS: Zstd = "zstd-threads" from "libzstd-dev",
        does: "compresses 2 MB of text on two more threads and decompresses it",
        confirmed: "the command `zstd`, on two threads, compresses it to the same",
        builder: |_input| [.allow(Permission::Threads(2))],
        not_in_process: "it starts threads",
        not_sandboxed: "it starts threads",
    }

    fn run<R: Runtime>(zstd: &mut Zstd<R>, text: &String) -> omniglot::Result<Output> {
        round_trip(zstd, text, 2)
    }

    /// Zstandard compresses each part of the text by itself if it uses threads, with a result that
    /// differs from that without.
    fn confirm(text: &String, output: &Output) -> Result<()> {
        let size = format!("--stream-size={}", text.len());
        let options = ["-q", "-3", "-T2", "-B524288", "--no-check", &size, "-c"];
        ensure!(tool("zstd", &options, text.as_bytes())? == output.0, "the command's differs");
        super::confirm(text, output)
    }
}

/// Requests two more threads, which are not available, and then uses only the caller's.
mod none {
    use super::*;

    subject! {
        ZSTD_NO_THREADS: Zstd = "zstd-no-threads" from "libzstd-dev",
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

/// The bytes that a thread compresses at a time.
const JOB: i32 = 1 << 19;

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
        zstd.ZSTD_CCtx_setParameter(context, ZSTD_cParameter::ZSTD_c_jobSize, JOB)?;
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
