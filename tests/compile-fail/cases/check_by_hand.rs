//! The check of valid bits cannot be implemented by hand.
#![forbid(unsafe_code)]
use omniglot::zerocopy::TryFromBytes;

#[repr(transparent)]
struct Anything(bool);

unsafe impl TryFromBytes for Anything {
    fn only_derive_is_allowed_to_implement_this_trait() {}
    fn is_bit_valid<A>(_: omniglot::zerocopy::Maybe<'_, Self, A>) -> bool {
        true
    }
}

fn main() {}
