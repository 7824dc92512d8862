//! The base that an interface derefs to cannot be swapped either.
#![forbid(unsafe_code)]
use omniglot::{Api as _, Result};
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut one = Demo::assemble_for_tests()?;
    let mut other = Demo::assemble_for_tests()?;
    one.scope(|scope| {
        scope.callback::<Callback>(|api, _| {
            std::mem::swap(api.base_mut(), other.base_mut());
            Ok(())
        })?;
        Ok(())
    })
}
