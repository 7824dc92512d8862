//! Two tables under construction cannot exchange the instances of their closures.
#![forbid(unsafe_code)]
use omniglot::{Result, Table};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut other = Demo::assemble_for_tests()?;
    Table::<u32>::new(&mut *demo, |first| {
        Table::<u32>::new(&mut *other, |second| {
            std::mem::swap(first, second);
            Ok(1)
        })?;
        Ok(1)
    })?;
    Ok(())
}
