//! Resetting an instance to the state after loading.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use omniglot::{Builder, Isolation, Linux};
use omniglot_turns::{Variant, Workload};

use crate::inputs::{Inputs, Picture};
use crate::runtimes;
use crate::small::Workloads;
use crate::user::png::{Decoder, Png};

/// How long to sleep between polls for a spare.
const NAP: Duration = Duration::from_micros(100);

/// `process` resets with a warm spare, which is made before the clock starts. `process-cold` has no
/// spare, so the library is loaded anew. `sfi` resets an instance after an empty call, and
/// `sfi-libpng` one after it has decoded a picture, before the clock starts.
pub(crate) fn reset(inputs: &Inputs, size: usize) -> Result<Workload> {
    let mut variants = vec![warm()?, cold()?];
    variants.extend(runtimes::sfi()?.map(small));
    if let Some(png) = runtimes::sfi()? {
        variants.push(after_a_picture(png, inputs.picture(0)?)?);
    }
    Ok(Workload { size, variants })
}

/// Each reset follows an empty call.
fn small(library: Workloads) -> Variant {
    let library = Rc::new(RefCell::new(library));
    let calling = Rc::clone(&library);
    let variant = Variant::new("sfi", move |count| {
        for _ in 0..count {
            library.borrow_mut().reset()?;
        }
        Ok(())
    });
    variant.at_most(1).waking(move || Ok(calling.borrow_mut().empty()?))
}

/// Each reset follows the decoding of a picture.
fn after_a_picture(png: Png, picture: Picture) -> Result<Variant> {
    let decoder = Rc::new(RefCell::new(Decoder::new(png, picture.height, picture.row_size)?));
    let decoding = Rc::clone(&decoder);
    let variant = Variant::new("sfi-libpng", move |count| {
        for _ in 0..count {
            decoder.borrow_mut().reset()?;
        }
        Ok(())
    });
    Ok(variant.at_most(1).waking(move || {
        let mut decoder = decoding.borrow_mut();
        decoder.prepare()?;
        Ok(decoder.decode(&picture.file)?)
    }))
}

/// Asks for a process by name, since an image of verified code would be taken instead, which has no
/// spares.
fn process() -> Builder<Workloads> {
    Workloads::builder().isolation(Isolation::Process)
}

fn warm() -> Result<Variant> {
    let library = Rc::new(RefCell::new(process().spares(1).build()?));
    let waiting = Rc::clone(&library);
    let variant = Variant::new("process", move |count| {
        for _ in 0..count {
            library.borrow_mut().reset()?;
        }
        Ok(())
    });
    Ok(variant.at_most(1).waking(move || {
        wait_for_spare(waiting.borrow().runtime());
        Ok(waiting.borrow_mut().empty()?)
    }))
}

fn wait_for_spare(runtime: &Linux) {
    while runtime.warm_spares() == 0 {
        thread::sleep(NAP);
    }
}

fn cold() -> Result<Variant> {
    let mut library = process().spares(0).build()?;
    Ok(Variant::new("process-cold", move |count| {
        for _ in 0..count {
            library.reset()?;
        }
        Ok(())
    }))
}
