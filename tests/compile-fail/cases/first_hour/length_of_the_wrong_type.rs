//! Rust's lengths are `usize`; C's often are not.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let numbers = [1, 2, 3];
    demo.scope(|scope| {
        let copy = scope.copy_in(&numbers)?;
        scope.sum(copy, numbers.len())
    })?;
    Ok(())
}
