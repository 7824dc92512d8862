//! A pointer to another type: use `cast`.
#![forbid(unsafe_code)]
use omniglot::Ptr;
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.sum(Ptr::<u8>::null(), 0)?;
    Ok(())
}
