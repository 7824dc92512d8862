//! The runtime's window is borrowed from the instance.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result, Runtime};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let window = demo.runtime().window();
    demo.run(Ptr::null())?;
    println!("{}", window.len());
    Ok(())
}
