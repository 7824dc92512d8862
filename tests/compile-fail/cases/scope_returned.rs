//! A scope cannot be returned from itself.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| Ok(scope))?;
    Ok(())
}
