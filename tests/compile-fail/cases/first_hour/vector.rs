//! A vector: use `scope.copy_in`.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.sum(vec![1, 2, 3], 3)?;
    Ok(())
}
