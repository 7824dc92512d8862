//! A callback cannot send its interface to another thread.
#![forbid(unsafe_code)]
use omniglot::{Ptr, Result};
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        scope.callback::<Callback>(|api, _| {
            std::thread::scope(|threads| {
                threads.spawn(move || api.run(Ptr::null()).is_ok());
            });
            Ok(())
        })?;
        Ok(())
    })
}
