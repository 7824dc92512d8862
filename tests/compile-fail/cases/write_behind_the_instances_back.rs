//! The runtime is accessible read-only: neither it nor its window can be changed.
#![forbid(unsafe_code)]
use omniglot::{Result, Runtime};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.runtime().window().write(0x1000, &[1])?;
    demo.runtime().kill();
    demo.runtime().reload(&mut omniglot::Calls::new())?;
    Ok(())
}
