//! Tests with random input: a fixed number of runs in the test suite, or minutes of runs with
//! `cargo xtask fuzz`.
//!
//! A target is a test that passes a closure to [`fuzz`]. The closure makes its input from the
//! random numbers that it gets, and panics if something is wrong. Each run's numbers depend only on
//! the seed and on the run's number, so a run that failed can be repeated by itself.
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
