//! A scope cannot be kept.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut kept = None;
    demo.scope(|scope| {
        kept = Some(scope);
        Ok(())
    })?;
    Ok(())
}
