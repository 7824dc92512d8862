//! The internals of an instance are private.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

fn main() -> Result<()> {
    let mut demo = Demo::assemble_for_tests()?;
    demo.state.slots.clear();
    let _forged = omniglot::Unsized(std::marker::PhantomData);
    omniglot::Base::reset(&mut demo)?;
    Ok(())
}
