//! A box cannot be used as a box of another type, or as host memory.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    demo.run(&number)?;
    demo.run(&mut [1u8; 4])?;
    demo.write(&number, 2u64)?;
    Ok(())
}
