//! Reading an unchecked pointer: use `read_at`.
#![forbid(unsafe_code)]
use omniglot::Ptr;
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let pointer = demo.run(Ptr::null())?;
    println!("{}", demo.read(pointer)?);
    Ok(())
}
