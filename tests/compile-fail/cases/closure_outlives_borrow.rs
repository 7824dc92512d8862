//! A closure of a scope cannot outlive what it borrows.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        let mut seen = 0;
        scope.callback::<Callback>(|_, value| {
            seen = value;
            Ok(())
        })?;
        Ok(())
    })
}
