//! A view cannot outlive a reset of its instance.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.upgrade(Ptr::<u32>::from_addr(0x1000))?;
    let view = demo.view(number)?;
    demo.reset()?;
    println!("{}", *view);
    Ok(())
}
