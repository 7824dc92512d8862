//! Atomics cannot be foreign data: writing one could change a bool in an overlapping view.
#![forbid(unsafe_code)]
use std::sync::atomic::AtomicU8;

use omniglot::Foreign;
use omniglot::zerocopy::{KnownLayout, TryFromBytes};

#[derive(TryFromBytes, KnownLayout)]
#[zerocopy(crate = "omniglot::zerocopy")]
#[repr(transparent)]
struct Sneaky(AtomicU8);

impl Foreign for Sneaky {
    const NAME: &'static str = "sneaky";
    fn encode(&self, _: &mut [u8]) {}
}

fn main() {}
