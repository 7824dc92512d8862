//! libjpeg-turbo, which the host asks for each row.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::chatty::Photograph;
use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::jpeg::{Jpeg, decode};

/// A file, and its pixels as plain FFI decodes them.
struct Job {
    file: Vec<u8>,
    pixels: Vec<u8>,
}

/// One operation decodes a picture with `bytes` bytes of pixels.
pub(crate) fn jpeg_rows(_: &Inputs, bytes: usize) -> Result<Workload> {
    let photograph = Photograph::new(bytes)?;
    let pixels = native::jpeg::decode(&photograph.file);
    photograph.check(&pixels)?;
    let job = Rc::new(Job { file: photograph.file, pixels });
    let own = Rc::clone(&job);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            black_box(native::jpeg::decode(black_box(&own.file)));
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Jpeg, |name, library| variant(
        name,
        library,
        Rc::clone(&job)
    )?));
    Ok(Workload { size: bytes, variants })
}

fn variant<R: Runtime>(name: &str, mut jpeg: Jpeg<R>, job: Rc<Job>) -> Result<Variant> {
    ensure!(decode(&mut jpeg, &job.file)? == job.pixels, "not what plain FFI decodes");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(decode(&mut jpeg, black_box(&job.file))?);
        }
        Ok(())
    }))
}
