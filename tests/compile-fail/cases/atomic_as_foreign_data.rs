//! An atomic is no foreign data: a view of it beside a view of a bool could change the bool.
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
