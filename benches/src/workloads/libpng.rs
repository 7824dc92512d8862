//! libpng, the distribution's library.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::{Inputs, Picture};
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::png::{Decoder, Png};

/// One operation decodes picture `index`. The size is that of its pixels, in bytes.
pub(crate) fn libpng(inputs: &Inputs, index: usize) -> Result<Workload> {
    let picture = Rc::new(inputs.picture(index)?);
    let mut variants = vec![plain(Rc::clone(&picture))?];
    variants.extend(on_each_runtime!(Png, |name, library| {
        variant(name, library, Rc::clone(&picture))?
    }));
    Ok(Workload { size: picture.pixels.len(), variants })
}

fn plain(picture: Rc<Picture>) -> Result<Variant> {
    let mut decoder = native::png::Decoder::new(picture.height, picture.row_size);
    decoder.decode(&picture.file)?;
    ensure!(decoder.pixels() == picture.pixels, "not what the crate png decodes");
    Ok(Variant::new("native", move |count| {
        for _ in 0..count {
            decoder.decode(black_box(&picture.file))?;
        }
        Ok(())
    }))
}

fn variant<R: Runtime>(name: &str, png: Png<R>, picture: Rc<Picture>) -> Result<Variant> {
    let mut decoder = Decoder::new(png, picture.height, picture.row_size)?;
    decoder.decode(&picture.file)?;
    ensure!(decoder.pixels()? == picture.pixels, "not what the crate png decodes");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            decoder.decode(black_box(&picture.file))?;
        }
        Ok(())
    }))
}
