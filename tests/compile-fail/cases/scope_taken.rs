//! A scope cannot be taken: there is no other scope to leave in its place.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        let _taken = std::mem::take(scope);
        Ok(())
    })
}
