//! A view is read-only.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    let mut view = demo.view(&number)?;
    *view = 2;
    Ok(())
}
