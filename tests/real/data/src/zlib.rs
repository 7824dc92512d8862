//! zlib compresses text.

use anyhow::{Result, anyhow, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject};

omniglot::include_library!("zlib");

subject! {
    ZLIB: Zlib = "zlib" from "zlib1g-dev",
    does: "compresses text and decompresses it",
    confirmed: "the crate `miniz_oxide` decompresses it, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(prose(300_000))
}

fn run<R: Runtime>(zlib: &mut Zlib<R>, text: &String) -> omniglot::Result<(Vec<u8>, Vec<u8>)> {
    const NO: Error = Error::Misuse("zlib says no");
    let len = text.len() as u64;
    zlib.scope(|zlib| {
        let source = zlib.copy_in(text.as_bytes())?;
        let most = zlib.compressBound(len)?;
        let (packed, packed_len) = (zlib.reserve::<u8>(most as usize)?, zlib.value(most)?);
        let done = zlib.compress2(packed, packed_len, source, len, 9)?;
        let packed = packed.range(0, zlib.read(packed_len)? as usize).ok_or(NO)?;
        let (unpacked, unpacked_len) = (zlib.reserve::<u8>(text.len())?, zlib.value(len)?);
        let undone = zlib.uncompress(unpacked, unpacked_len, packed, packed.len() as u64)?;
        if done != 0 || undone != 0 {
            return Err(NO);
        }
        Ok((zlib.view_slice(packed)?.to_vec(), zlib.view_slice(unpacked)?.to_vec()))
    })
}

fn confirm(text: &String, (packed, unpacked): &(Vec<u8>, Vec<u8>)) -> Result<()> {
    let other = miniz_oxide::inflate::decompress_to_vec_zlib(packed);
    let other = other.map_err(|error| anyhow!("miniz_oxide: {error}"))?;
    ensure!(other == text.as_bytes(), "miniz_oxide's text differs");
    ensure!(unpacked == text.as_bytes() && packed.len() < text.len() / 2, "the text differs");
    Ok(())
}
