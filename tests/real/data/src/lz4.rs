//! LZ4 compresses text.

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject};

omniglot::include_library!("lz4");

subject! {
    LZ4: Lz4 = "lz4" from "liblz4-dev",
    does: "compresses text",
    confirmed: "the crate `lz4_flex` decompresses it, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(prose(300_000))
}

fn run<R: Runtime>(lz4: &mut Lz4<R>, text: &String) -> omniglot::Result<Vec<u8>> {
    const NO: Error = Error::Misuse("LZ4 says no");
    let len = text.len() as i32;
    lz4.scope(|lz4| {
        let source = lz4.copy_in(text.as_bytes())?;
        let most = lz4.LZ4_compressBound(len)?;
        let packed = lz4.reserve::<u8>(most as usize)?;
        let packed_len = lz4.LZ4_compress_default(source, packed, len, most)?;
        let packed = packed.range(0, packed_len as usize).ok_or(NO)?;
        Ok(lz4.view_slice(packed)?.to_vec())
    })
}

fn confirm(text: &String, packed: &Vec<u8>) -> Result<()> {
    let unpacked = lz4_flex::block::decompress(packed, text.len()).context("lz4_flex")?;
    ensure!(unpacked == text.as_bytes() && packed.len() < text.len(), "the text differs");
    Ok(())
}
