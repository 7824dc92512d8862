//! Brotli's encoder and decoder.

use omniglot::{Error, Result, Runtime};

omniglot::include_library!("brotli");

/// log2 of the window's size.
const WINDOW: i32 = 22;

const REFUSED: Error = Error::Misuse("brotli refused");

/// Compresses text, decompresses the result, and compares: the paper's iteration. Returns the
/// length of the compressed text.
pub(crate) fn round_trip<R: Runtime>(
    brotli: &mut Brotli<R>,
    text: &str,
    quality: i32,
) -> Result<usize> {
    let room = text.len() * 2;
    brotli.scope(|brotli| {
        let source = brotli.copy_in(text.as_bytes())?;
        let packed = brotli.reserve::<u8>(room)?;
        let packed_len = brotli.value(room)?;
        let mode = BrotliEncoderMode::BROTLI_MODE_GENERIC;
        let done = brotli.BrotliEncoderCompress(
            quality,
            WINDOW,
            mode,
            text.len(),
            source,
            packed_len,
            packed,
        )?;
        let len = brotli.read(packed_len)?;
        let packed = packed.range(0, len).filter(|_| done == 1).ok_or(REFUSED)?;
        let unpacked = brotli.reserve::<u8>(room)?;
        let unpacked_len = brotli.value(room)?;
        let result = brotli.BrotliDecoderDecompress(len, packed, unpacked_len, unpacked)?;
        let unpacked = finish(result, unpacked.range(0, brotli.read(unpacked_len)?))?;
        let is_same = *brotli.view_str(unpacked)? == *text;
        if is_same { Ok(len) } else { Err(REFUSED) }
    })
}

/// Decompresses to `size` bytes, and copies them to the host.
pub(crate) fn decompress<R: Runtime>(
    brotli: &mut Brotli<R>,
    packed: &[u8],
    into: &mut [u8],
) -> Result<()> {
    brotli.scope(|brotli| {
        let source = brotli.copy_in(packed)?;
        let room = brotli.reserve::<u8>(into.len())?;
        let room_len = brotli.value(into.len())?;
        let result = brotli.BrotliDecoderDecompress(packed.len(), source, room_len, room)?;
        let unpacked = finish(result, room.range(0, brotli.read(room_len)?))?;
        brotli.read_into(unpacked, into)
    })
}

fn finish<T>(result: BrotliDecoderResult, unpacked: Option<T>) -> Result<T> {
    let is_done = matches!(result, BrotliDecoderResult::BROTLI_DECODER_RESULT_SUCCESS);
    unpacked.filter(|_| is_done).ok_or(REFUSED)
}
