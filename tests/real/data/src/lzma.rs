//! liblzma compresses text.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{prose, subject, tool};

omniglot::include_library!("lzma");

subject! {
    LZMA: Lzma = "liblzma" from "liblzma-dev",
    does: "compresses text and decompresses it",
    confirmed: "the command `xz` decompresses it, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(prose(200_000))
}

fn run<R: Runtime>(lzma: &mut Lzma<R>, text: &String) -> omniglot::Result<(Vec<u8>, Vec<u8>)> {
    const NO: Error = Error::Misuse("liblzma says no");
    let len = text.len();
    lzma.scope(|lzma| {
        let source = lzma.copy_in(text.as_bytes())?;
        let room = lzma.lzma_stream_buffer_bound(len)?;
        let (packed, packed_len) = (lzma.reserve::<u8>(room)?, lzma.value(0)?);
        let check = lzma_check::LZMA_CHECK_CRC64;
        let done = lzma.lzma_easy_buffer_encode(
            6,
            check,
            Ptr::null(),
            source,
            len,
            packed,
            packed_len,
            room,
        )?;
        let packed = packed.range(0, lzma.read(packed_len)?).ok_or(NO)?;
        let (limit, at) = (lzma.value(u64::MAX)?, lzma.value(0)?);
        let (unpacked, unpacked_len) = (lzma.reserve::<u8>(len)?, lzma.value(0)?);
        let undone = lzma.lzma_stream_buffer_decode(
            limit,
            0,
            Ptr::null(),
            packed,
            at,
            packed.len(),
            unpacked,
            unpacked_len,
            len,
        )?;
        if done != lzma_ret::LZMA_OK || undone != lzma_ret::LZMA_OK {
            return Err(NO);
        }
        Ok((lzma.view_slice(packed)?.to_vec(), lzma.view_slice(unpacked)?.to_vec()))
    })
}

fn confirm(text: &String, (packed, unpacked): &(Vec<u8>, Vec<u8>)) -> Result<()> {
    ensure!(tool("xz", &["-dc"], packed)? == text.as_bytes(), "xz's text differs");
    ensure!(unpacked == text.as_bytes(), "the text differs");
    Ok(())
}
