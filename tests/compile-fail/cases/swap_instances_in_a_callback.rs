//! Two instances cannot be swapped inside a callback.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut one = Demo::assemble_for_tests()?;
    let mut other = Demo::assemble_for_tests()?;
    one.scope(|scope| {
        scope.callback::<Callback>(|api, _| {
            std::mem::swap(api, &mut *other);
            Ok(())
        })?;
        Ok(())
    })
}
