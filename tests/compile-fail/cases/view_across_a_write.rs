//! A view cannot be used across a write to foreign memory.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    let view = demo.view(&number)?;
    demo.write(&number, 2)?;
    println!("{}", *view);
    Ok(())
}
