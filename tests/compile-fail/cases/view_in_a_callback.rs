//! A closure cannot hold a view of the instance that calls it.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let number = demo.alloc(1u32)?;
    let view = demo.view(&number)?;
    demo.with_callback::<Callback, _>(
        &mut |_, _| {
            println!("{}", *view);
            Ok(())
        },
        |_, _| (),
    )
}
