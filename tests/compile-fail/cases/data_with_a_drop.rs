//! Foreign data cannot have a destructor, which would run on untrusted bits.
#![forbid(unsafe_code)]
use omniglot::Foreign;
use omniglot::zerocopy::{Immutable, KnownLayout, TryFromBytes};

#[derive(Clone, Copy, TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot::zerocopy")]
#[repr(transparent)]
struct Bomb(u8);

impl Drop for Bomb {
    fn drop(&mut self) {}
}

impl Foreign for Bomb {
    const NAME: &'static str = "bomb";
    fn encode(&self, _: &mut [u8]) {}
}

fn main() {}
