//! A view of a foreign string cannot be used across a call.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let text = demo.read_str(Ptr::null(), 64)?;
    demo.run(Ptr::null())?;
    println!("{text}");
    Ok(())
}
