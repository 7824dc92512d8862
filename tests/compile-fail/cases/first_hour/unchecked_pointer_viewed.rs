//! Viewing an unchecked pointer without a length: use `upgrade_slice` or `read_vec`.
#![forbid(unsafe_code)]
use omniglot::Ptr;
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let pointer = demo.run(Ptr::null())?;
    println!("{:?}", demo.view_slice(pointer)?);
    Ok(())
}
