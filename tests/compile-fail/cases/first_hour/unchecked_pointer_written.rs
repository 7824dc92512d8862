//! Writing to an unchecked pointer: use `upgrade_mut`.
#![forbid(unsafe_code)]
use omniglot::Ptr;
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let pointer = demo.run(Ptr::null())?;
    demo.write(pointer, 1)?;
    Ok(())
}
