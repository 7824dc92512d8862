//! brotli compresses text.

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject};

omniglot::include_library!("brotli");

subject! {
    BROTLI: Brotli = "brotli" from "libbrotli-dev",
    does: "compresses text",
    confirmed: "the crate `brotli-decompressor` decompresses it, equal",
    builder: |_input| [],
}

const QUALITY: i32 = 5;
const WINDOW: i32 = 22;

fn input() -> Result<String> {
    Ok(prose(300_000))
}

fn run<R: Runtime>(brotli: &mut Brotli<R>, text: &String) -> omniglot::Result<Vec<u8>> {
    const NO: Error = Error::Misuse("brotli says no");
    let mode = BrotliEncoderMode::BROTLI_MODE_TEXT;
    brotli.scope(|brotli| {
        let source = brotli.copy_in(text.as_bytes())?;
        let most = brotli.BrotliEncoderMaxCompressedSize(text.len())?;
        let (packed, packed_len) = (brotli.reserve::<u8>(most)?, brotli.value(most)?);
        let (len, quality) = (text.len(), QUALITY);
        let done =
            brotli.BrotliEncoderCompress(quality, WINDOW, mode, len, source, packed_len, packed)?;
        let packed = packed.range(0, brotli.read(packed_len)?).ok_or(NO)?;
        if done == 1 { Ok(brotli.view_slice(packed)?.to_vec()) } else { Err(NO) }
    })
}

fn confirm(text: &String, packed: &Vec<u8>) -> Result<()> {
    let mut unpacked = Vec::new();
    brotli_decompressor::BrotliDecompress(&mut packed.as_slice(), &mut unpacked)
        .context("brotli-decompressor")?;
    ensure!(unpacked == text.as_bytes() && packed.len() < text.len() / 2, "the text differs");
    Ok(())
}
