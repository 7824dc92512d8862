//! A struct with a reference cannot be foreign data.
#![forbid(unsafe_code)]
use omniglot::zerocopy::{Immutable, KnownLayout, TryFromBytes};

#[derive(Clone, Copy, TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot::zerocopy")]
#[repr(C)]
struct Borrowing {
    text: &'static u8,
}

fn main() {
    let _ = std::mem::size_of::<Borrowing>();
}
