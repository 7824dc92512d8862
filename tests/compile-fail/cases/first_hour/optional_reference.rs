//! An optional reference: use `scope.value`.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = 5_u32;
    demo.sum(Some(&number), 1)?;
    Ok(())
}
