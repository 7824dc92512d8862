//! A view cannot be used across an allocation in foreign memory.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    let view = demo.view(&number)?;
    let _other = demo.alloc(2u32)?;
    println!("{}", *view);
    Ok(())
}
