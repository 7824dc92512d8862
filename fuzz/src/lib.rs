//! Tests on random input: so many runs in the test suite, or minutes of them by
//! `cargo xtask fuzz`.
//!
//! A target is a test that hands [`fuzz`] a closure, which makes its input of the random numbers
//! that it gets and panics if something is wrong. Each run's numbers depend on the seed and on the
//! run's number alone, so that one that failed can be repeated by itself.
//!
//! ```
//! omniglot_fuzz::fuzz("sums", 100, |random| {
//!     let (one, other) = (random.below(1000), random.below(1000));
//!     assert_eq!(one + other, other + one);
//! });
//! ```
#![forbid(unsafe_code)]

mod random;
mod session;

pub use random::Random;
pub use session::{Session, fuzz};
