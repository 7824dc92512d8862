//! Bytes that are filled in place cannot be kept in a variable.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let bytes = demo.alloc_slice(&[1u8, 2])?;
    let mut kept = None;
    demo.write_slice_with(&bytes, |bytes| kept = Some(bytes))?;
    demo.run(Ptr::null())?;
    kept.map(|bytes| bytes.fill(0));
    Ok(())
}
