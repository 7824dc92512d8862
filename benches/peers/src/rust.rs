//! Implementations in Rust, without any C.

use std::hint::black_box;
use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use brotli::enc::BrotliEncoderParams;
use omniglot_turns::Variant;
use serde_bytes::ByteBuf;

use crate::jobs::{Answer, Job};

/// Size of a hash in bytes.
const HASH: usize = 32;
/// log2 of the window's size.
const WINDOW: i32 = 22;

/// Returns the variant, or `None` if there is nothing to implement.
pub(crate) fn variant(job: &Job, expected: &Answer) -> Result<Option<Variant>> {
    let job = job.clone();
    match job {
        Job::Empty | Job::AddSix(_) => return Ok(None),
        Job::Hash(_) | Job::RoundTrip(..) | Job::Decompress(..) | Job::Decode(..) => {}
    }
    ensure!(run(&job)? == *expected, "another answer than plain FFI's");
    Ok(Some(Variant::new("rust", move |count| {
        for _ in 0..count {
            black_box(run(black_box(&job))?);
        }
        Ok(())
    })))
}

fn run(job: &Job) -> Result<Answer> {
    let bytes = match job {
        Job::Empty | Job::AddSix(_) => return Ok(Answer::Done),
        Job::Hash(message) => {
            blake2b_simd::Params::new().hash_length(HASH).hash(message).as_bytes().to_vec()
        }
        Job::RoundTrip(text, quality) => {
            let unpacked = decompress(&compress(text, *quality)?, text.len())?;
            ensure!(std::str::from_utf8(&unpacked)? == text, "another text came back");
            return Ok(Answer::Done);
        }
        Job::Decompress(packed, size) => decompress(packed, *size)?,
        Job::Decode(file, ..) => decode(file)?,
    };
    Ok(Answer::Bytes(ByteBuf::from(bytes)))
}

fn compress(text: &str, quality: i32) -> Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality,
        lgwin: WINDOW,
        size_hint: text.len(),
        ..BrotliEncoderParams::default()
    };
    let mut packed = Vec::with_capacity(2 * text.len());
    brotli::BrotliCompress(&mut text.as_bytes(), &mut packed, &parameters)?;
    Ok(packed)
}

fn decompress(packed: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut unpacked = Vec::with_capacity(size);
    brotli::BrotliDecompress(&mut &packed[..], &mut unpacked)?;
    Ok(unpacked)
}

fn decode(file: &[u8]) -> Result<Vec<u8>> {
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("the picture is too large")?];
    reader.next_frame(&mut pixels)?;
    Ok(pixels)
}
