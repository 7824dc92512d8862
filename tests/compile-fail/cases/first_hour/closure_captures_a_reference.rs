//! A registered closure outlives the function, so it cannot borrow: use `scope.callback`.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Callback;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut count = 0;
    let registered = demo.register::<Callback>(|_, _| {
        count += 1;
        Ok(())
    })?;
    drop(registered);
    println!("{count}");
    Ok(())
}
