//! Brotli, with the distribution's libraries.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::brotli::{Brotli, decompress, round_trip};

/// A round trip with quality 11, as in the paper.
pub(crate) fn best(inputs: &Inputs, size: usize) -> Result<Workload> {
    there_and_back(inputs, size, 11)
}

/// A round trip with quality 5.
pub(crate) fn middle(inputs: &Inputs, size: usize) -> Result<Workload> {
    there_and_back(inputs, size, 5)
}

/// A round trip with quality 1.
pub(crate) fn fast(inputs: &Inputs, size: usize) -> Result<Workload> {
    there_and_back(inputs, size, 1)
}

/// One operation compresses text of `size` bytes, decompresses it and compares.
fn there_and_back(inputs: &Inputs, size: usize, quality: i32) -> Result<Workload> {
    let text: Rc<str> = inputs.text(size)?.into();
    let packed = packed(&text, quality)?;
    let (source, mut rooms) = (Rc::clone(&text), [vec![0; 2 * size], vec![0; 2 * size]]);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            native::brotli::round_trip(black_box(&source), quality, &mut rooms)?;
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Brotli, |name, library| {
        compression(name, library, Rc::clone(&text), quality, packed.len())?
    }));
    Ok(Workload { size, variants })
}

/// Returns the text compressed by plain FFI, after an independent decoder has checked it.
fn packed(text: &str, quality: i32) -> Result<Vec<u8>> {
    let mut packed = vec![0; 2 * text.len()];
    let len = native::brotli::compress(text.as_bytes(), quality, &mut packed)?;
    packed.truncate(len);
    let mut unpacked = Vec::new();
    brotli_decompressor::BrotliDecompress(&mut &packed[..], &mut unpacked)?;
    ensure!(unpacked == text.as_bytes(), "another decoder reads another text");
    Ok(packed)
}

fn compression<R: Runtime>(
    name: &str,
    mut brotli: Brotli<R>,
    text: Rc<str>,
    quality: i32,
    packed: usize,
) -> Result<Variant> {
    let len = round_trip(&mut brotli, &text, quality)?;
    ensure!(len == packed, "{len} bytes instead of plain FFI's {packed}");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(round_trip(&mut brotli, black_box(&text), quality)?);
        }
        Ok(())
    }))
}

/// One operation decompresses text of `size` bytes.
pub(crate) fn decompression(inputs: &Inputs, size: usize) -> Result<Workload> {
    let text = inputs.text(size)?;
    let packed: Rc<[u8]> = packed(&text, 5)?.into();
    let (source, mut room) = (Rc::clone(&packed), vec![0; size]);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            black_box(native::brotli::decompress(black_box(&source), &mut room)?);
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Brotli, |name, library| {
        unpacking(name, library, Rc::clone(&packed), text.as_bytes())?
    }));
    Ok(Workload { size, variants })
}

fn unpacking<R: Runtime>(
    name: &str,
    mut brotli: Brotli<R>,
    packed: Rc<[u8]>,
    text: &[u8],
) -> Result<Variant> {
    let mut room = vec![0; text.len()];
    decompress(&mut brotli, &packed, &mut room)?;
    ensure!(room == text, "another text came back");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            decompress(&mut brotli, black_box(&packed), &mut room)?;
        }
        Ok(())
    }))
}
