//! A scope cannot be sent to another thread.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        std::thread::scope(|threads| {
            threads.spawn(|| scope.value(1u32).is_ok());
        });
        Ok(())
    })
}
