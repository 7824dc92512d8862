//! An interface is unsized, so it can be neither replaced nor taken.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::{Api, Demo};

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    let mut other = Demo::assemble_for_tests()?;
    demo.scope(|scope| {
        std::mem::replace(&mut **scope, *other);
        let _copy: Api = **scope;
        Ok(())
    })
}
