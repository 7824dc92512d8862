//! A callback cannot smuggle its interface out through a thread-local.
#![forbid(unsafe_code)]
use std::cell::RefCell;

use omniglot::Result;
use omniglot_compile_fail::{Api, Callback, Demo};

thread_local! {
    static KEPT: RefCell<Option<&'static mut Api>> = const { RefCell::new(None) };
}

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let _registered = demo.register::<Callback>(|api, _| {
        KEPT.with_borrow_mut(|kept| *kept = Some(api));
        Ok(())
    })?;
    Ok(())
}
