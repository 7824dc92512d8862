//! An instance cannot be used by two threads.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let demo = Demo::assemble_for_tests()?;
    std::thread::scope(|threads| {
        threads.spawn(|| demo.errno());
        threads.spawn(|| demo.errno());
    });
    Ok(())
}
