//! A view cannot be used across a foreign call.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let numbers = demo.alloc_slice(&[1u8, 2])?;
    let view = demo.view_slice(&numbers)?;
    demo.run(Ptr::null())?;
    println!("{}", view[0]);
    Ok(())
}
