//! Host memory for a result: use `scope.out`.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut result = 0_u32;
    demo.sum(&mut result, 1)?;
    Ok(())
}
