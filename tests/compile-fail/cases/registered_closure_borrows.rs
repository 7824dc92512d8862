//! A registered closure cannot borrow anything.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut seen = 0;
    let _registered = demo.register::<Callback>(|_, value| {
        seen = value;
        Ok(())
    })?;
    Ok(())
}
