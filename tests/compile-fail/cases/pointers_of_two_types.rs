//! Opaque types are distinct: a pointer to one is not accepted for another.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::Demo;

/// As generated for a struct that a header only declares.
enum Info {}

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let info: Ptr<Info> = Ptr::null();
    demo.run(info)?;
    Ok(())
}
