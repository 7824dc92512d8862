//! A callback cannot keep its interface.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut kept = None;
    demo.with_callback::<Callback, _>(
        &mut |api, _| {
            kept = Some(api);
            Ok(())
        },
        |_, _| (),
    )
}
