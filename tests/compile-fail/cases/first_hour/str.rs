//! A host string where C takes characters: use `scope.str`.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.put("text")?;
    Ok(())
}
