//! A scope cannot be moved, and therefore not forgotten.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        std::mem::forget(*scope);
        Ok(())
    })
}
