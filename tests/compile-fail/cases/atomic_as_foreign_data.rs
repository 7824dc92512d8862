//! An atomic is no foreign data: a view of it beside a view of a bool could change the bool.
#![forbid(unsafe_code)]
use std::sync::atomic::AtomicU8;

use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let demo = Demo::assemble_for_tests()?;
    let reference = demo.upgrade(Ptr::<AtomicU8>::from_addr(0))?;
    demo.view(reference)?;
    Ok(())
}
