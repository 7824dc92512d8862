//! A callback cannot reset the instance during the call that runs it.
#![forbid(unsafe_code)]
use omniglot::{Escape, Result};
use omniglot_compile_fail::{Callback, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        scope.reset()?;
        scope.callback::<Callback>(|api, _| {
            api.reset().map_err(Escape::from)
        })?;
        Ok(())
    })?;
    demo.register::<Callback>(|api, _| Ok((**api).reset()?))?;
    demo.reset()
}
