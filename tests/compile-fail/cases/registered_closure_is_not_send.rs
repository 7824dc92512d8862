//! A registered closure moves with its instance, so it must be Send.
#![forbid(unsafe_code)]
use std::rc::Rc;

use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let shared = Rc::new(());
    let _registered = demo.register::<Callback>(move |_, _| {
        let _ = &shared;
        Ok(())
    })?;
    Ok(())
}
