//! An instance cannot be used inside its own callback, which gets its interface instead.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.with_callback::<Callback, _>(
        &mut |_, _| {
            demo.run(Ptr::null())?;
            Ok(())
        },
        |_, _| (),
    )
}
