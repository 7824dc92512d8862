//! An instance of a pool cannot outlive the pool.
#![forbid(unsafe_code)]
use omniglot::{Pool, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let pool = Pool::new(1, Demo::assemble_for_tests);
    let demo = pool.get()?;
    drop(pool);
    println!("{demo:?}");
    Ok(())
}
