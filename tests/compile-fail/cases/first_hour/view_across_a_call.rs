//! A view cannot be used after the next call: copy the data that is needed longer.
#![forbid(unsafe_code)]
use omniglot::Ptr;
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let text = demo.read_str(Ptr::null(), 64)?;
    demo.put(Ptr::null())?;
    println!("{text}");
    Ok(())
}
