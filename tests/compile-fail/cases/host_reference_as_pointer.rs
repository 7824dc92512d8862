//! A host reference cannot be passed as a foreign pointer.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let bytes = [1u8, 2];
    demo.run(&bytes)?;
    Ok(())
}
