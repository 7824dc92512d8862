//! A view cannot leave the scope in which it was made.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let view = demo.scope(|scope| {
        let number = scope.value(1u32)?;
        scope.view(number)
    })?;
    println!("{}", *view);
    Ok(())
}
