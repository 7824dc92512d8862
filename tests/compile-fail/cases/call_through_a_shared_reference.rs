//! A foreign call needs exclusive access to the instance.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let shared = &demo;
    shared.run(Ptr::null())?;
    shared.write(shared.upgrade_mut(Ptr::<u8>::from_addr(1))?, 2)?;
    Ok(())
}
