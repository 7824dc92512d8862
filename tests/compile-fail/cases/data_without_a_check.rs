//! Foreign data needs a check of valid bits, which a derive generates.
#![forbid(unsafe_code)]
use omniglot::Foreign;

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Unchecked(bool);

impl Foreign for Unchecked {
    const NAME: &'static str = "unchecked";
    fn encode(&self, _: &mut [u8]) {}
}

fn main() {}
