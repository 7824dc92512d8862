//! Checksums of values, and values derived from numbers. `build/c.rs` has the C version.

use omniglot::Ptr;

use crate::{Failure, Outcome};

/// 2⁶⁴ divided by the golden ratio: an odd number without a pattern in its bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub u64);

impl Hash {
    /// Folds a value into the checksum.
    pub fn add(&mut self, value: &impl Mix) {
        value.fold(self);
    }

    /// Derives the value that a function with these arguments returns.
    pub fn make<T: Mix>(self) -> T {
        T::make(&mut State(self.0))
    }

    fn mix(&mut self, value: u64) {
        let hash = (self.0 ^ value).wrapping_mul(GOLDEN);
        self.0 = hash ^ (hash >> 29);
    }
}

/// A source of numbers.
#[derive(Debug)]
pub struct State(pub u64);

impl State {
    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut hash = Hash(0xab_cdef);
        hash.mix(self.0);
        hash.0
    }
}

/// A type that both halves can make and fold.
pub trait Mix: Sized {
    /// Makes a value from numbers.
    fn make(state: &mut State) -> Self;
    /// Folds the value into a checksum.
    fn fold(&self, hash: &mut Hash);
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl Mix for $integer {
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            fn make(state: &mut State) -> Self {
                state.draw() as $integer
            }
            // Negative numbers are sign-extended, as C converts them.
            #[allow(clippy::cast_sign_loss, clippy::cast_lossless)]
            fn fold(&self, hash: &mut Hash) {
                hash.mix(*self as u64);
            }
        }
    )* };
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64 usize);

macro_rules! wide_integers {
    ($($integer:ty)*) => { $(
        impl Mix for $integer {
            #[allow(clippy::cast_lossless)]
            fn make(state: &mut State) -> Self {
                let low = state.draw() as Self;
                low | (state.draw() as Self) << 64
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            fn fold(&self, hash: &mut Hash) {
                hash.mix(*self as u64);
                hash.mix((*self >> 64) as u64);
            }
        }
    )* };
}
wide_integers!(u128 i128);

impl Mix for () {
    fn make(_: &mut State) -> Self {}
    fn fold(&self, _: &mut Hash) {}
}

impl Mix for bool {
    fn make(state: &mut State) -> Self {
        state.draw() & 1 == 1
    }
    fn fold(&self, hash: &mut Hash) {
        hash.mix(u64::from(*self));
    }
}

impl Mix for f32 {
    fn make(state: &mut State) -> Self {
        Self::from_bits(<u32 as Mix>::make(state))
    }
    fn fold(&self, hash: &mut Hash) {
        hash.mix(u64::from(self.to_bits()));
    }
}

impl Mix for f64 {
    fn make(state: &mut State) -> Self {
        Self::from_bits(state.draw())
    }
    fn fold(&self, hash: &mut Hash) {
        hash.mix(self.to_bits());
    }
}

impl<T: ?Sized> Mix for Ptr<T> {
    fn make(state: &mut State) -> Self {
        Self::from_addr(<usize as Mix>::make(state))
    }
    fn fold(&self, hash: &mut Hash) {
        self.addr().fold(hash);
    }
}

impl<T: Mix, const N: usize> Mix for [T; N] {
    fn make(state: &mut State) -> Self {
        core::array::from_fn(|_| T::make(state))
    }
    fn fold(&self, hash: &mut Hash) {
        self.iter().for_each(|element| element.fold(hash));
    }
}

/// Compares what the C half received and returned with the expected values.
///
/// # Errors
/// The difference. Results are compared by their checksums, since a float may be NaN.
pub fn check<T: Mix>(name: &'static str, sent: Hash, seen: u64, result: &T) -> Outcome {
    if seen != sent.0 {
        return failed(name, "the arguments did not arrive as they were sent");
    }
    same_result(name, sent, result)
}

const fn failed(case: &'static str, problem: &'static str) -> Outcome {
    Err(Failure { case, problem })
}

fn same_result<T: Mix>(name: &'static str, sent: Hash, result: &T) -> Outcome {
    let (mut got, mut wanted) = (Hash(0), Hash(0));
    got.add(result);
    wanted.add(&sent.make::<T>());
    if got != wanted {
        return failed(name, "the result is not what was returned");
    }
    Ok(())
}

/// Compares what a callback received, and how C folded its answer, with the expected values.
///
/// # Errors
/// The difference.
pub fn check_callback<T: Mix>(
    name: &'static str,
    sent: Hash,
    seen: Option<Hash>,
    end: u64,
) -> Outcome {
    if seen != Some(sent) {
        return failed(name, "the callback's arguments did not arrive");
    }
    let mut wanted = sent;
    wanted.add(&sent.make::<T>());
    if end != wanted.0 {
        return failed(name, "the callback's result did not arrive");
    }
    Ok(())
}
