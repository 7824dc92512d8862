//! A closure that fills bytes in place cannot call foreign code, which might write there too.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let bytes = demo.alloc_slice(&[1u8, 2])?;
    demo.write_slice_with(bytes.as_slice_mut(), |bytes| {
        bytes.fill(0);
        demo.run(Ptr::null())
    })??;
    Ok(())
}
