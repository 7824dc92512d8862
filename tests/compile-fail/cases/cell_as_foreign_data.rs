//! Types with interior mutability cannot be foreign data.
#![forbid(unsafe_code)]
use omniglot::zerocopy::{Immutable, KnownLayout, TryFromBytes};

#[derive(TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot::zerocopy")]
#[repr(transparent)]
struct Sneaky(std::cell::Cell<u8>);

fn main() {}
