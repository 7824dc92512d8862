//! The argument of a closure that fills a table cannot be kept.
#![forbid(unsafe_code)]
use omniglot::{Result, Table};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut kept = None;
    Table::<u32>::new(&mut *demo, |entries| {
        kept = Some(entries);
        Ok(1)
    })?;
    Ok(())
}
