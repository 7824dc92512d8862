//! Bytes that are filled in place cannot be kept.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let bytes = demo.alloc_slice(&[1u8, 2])?;
    let kept = demo.write_slice_with(bytes.as_slice_mut(), |bytes| bytes)?;
    demo.run(Ptr::null())?;
    kept.fill(0);
    Ok(())
}
