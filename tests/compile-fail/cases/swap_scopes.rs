//! Two scopes cannot be swapped.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut one = Demo::assemble_for_tests()?;
    let mut other = Demo::assemble_for_tests()?;
    one.scope(|first| {
        other.scope(|second| {
            std::mem::swap(first, second);
            Ok(())
        })
    })
}
