//! Owners of foreign resources cannot be cloned.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let boxed = demo.alloc(1u32)?;
    let _two = (boxed.clone(), boxed);
    let registered = demo.register::<Callback>(|_, _| Ok(()))?;
    let _two = (registered.clone(), registered);
    let _two = demo.clone();
    Ok(())
}
