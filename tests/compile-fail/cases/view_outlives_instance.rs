//! A view cannot outlive its instance.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    let view = demo.view(&number)?;
    drop(demo);
    println!("{}", *view);
    Ok(())
}
