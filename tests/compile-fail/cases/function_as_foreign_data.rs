//! Host functions, pointers and references cannot be foreign data.
#![forbid(unsafe_code)]
use omniglot::{Foreign, Result};

fn demo_like<T: Foreign>(_: T) {}

fn main() -> Result<()> {
    let function: fn() = || ();
    demo_like(function);
    demo_like(Some(function));
    demo_like(std::ptr::NonNull::<u8>::dangling());
    demo_like(&1_u8);
    Ok(())
}
