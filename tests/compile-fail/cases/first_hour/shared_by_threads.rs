//! One instance for many threads: use a `Pool`.
#![forbid(unsafe_code)]
use std::sync::Arc;

use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let demo = Arc::new(Demo::assemble_for_tests()?);
    let other = Arc::clone(&demo);
    std::thread::spawn(move || println!("{}", other.errno()));
    println!("{}", demo.errno());
    Ok(())
}
