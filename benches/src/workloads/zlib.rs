//! zlib, with the distribution's library.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::zlib::{Zlib, round_trip};

/// The level that `Z_DEFAULT_COMPRESSION` stands for.
const LEVEL: i32 = 6;

/// One operation compresses text of `size` bytes, decompresses it and compares.
pub(crate) fn zlib(inputs: &Inputs, size: usize) -> Result<Workload> {
    let text: Rc<str> = inputs.text(size)?.into();
    let mut rooms = [vec![0; 2 * size], vec![0; 2 * size]];
    let packed = native::zlib::compress(text.as_bytes(), LEVEL, &mut rooms[0])?;
    let source = Rc::clone(&text);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            native::zlib::round_trip(black_box(&source), LEVEL, &mut rooms)?;
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Zlib, |name, library| {
        variant(name, library, Rc::clone(&text), packed)?
    }));
    Ok(Workload { size, variants })
}

fn variant<R: Runtime>(
    name: &str,
    mut zlib: Zlib<R>,
    text: Rc<str>,
    packed: usize,
) -> Result<Variant> {
    let len = round_trip(&mut zlib, &text, LEVEL)?;
    ensure!(len == packed, "{len} bytes instead of plain FFI's {packed}");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(round_trip(&mut zlib, black_box(&text), LEVEL)?);
        }
        Ok(())
    }))
}
