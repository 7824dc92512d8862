//! Resetting an instance to the state after loading.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use omniglot::Linux;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::small::Workloads;

/// How long to sleep between polls for a spare.
const NAP: Duration = Duration::from_micros(100);

/// `process` resets with a warm spare, which is made before the clock starts. `process-cold` has no
/// spare, so the library is loaded anew.
pub(crate) fn reset(_: &Inputs, size: usize) -> Result<Workload> {
    Ok(Workload { size, variants: vec![warm()?, cold()?] })
}

fn warm() -> Result<Variant> {
    let library = Rc::new(RefCell::new(Workloads::builder().spares(1).build()?));
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
    let mut library = Workloads::builder().spares(0).build()?;
    Ok(Variant::new("process-cold", move |count| {
        for _ in 0..count {
            library.reset()?;
        }
        Ok(())
    }))
}
