//! Thousands of random signatures, called in both directions.
//!
//! The build script makes up C libraries (`build/random.rs`) and binds them. For each
//! signature there is a C function that folds its arguments into a checksum, and makes
//! its result of that; this half does the same and compares. Every fourth signature is
//! also that of a callback, which C calls and Rust answers, and of a C function that is
//! called by its address. The seed is fixed; `OMNIGLOT_ABI_SEED` chooses another.
//!
//! Nothing here needs an allocator or an operating system, so that the same cases run in a
//! kernel (`tests/abi-pmp`).

#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;
pub mod libraries;
pub mod mix;

/// The seed that the signatures were made from.
pub const SEED: u64 = include!(concat!(env!("OUT_DIR"), "/seed.rs"));

/// The numbers besides C's usual ones that there are here, as C spells them: what clang and
/// the C compiler both know. Elsewhere, `double` takes their places.
pub const WIDE: &[&str] = include!(concat!(env!("OUT_DIR"), "/wide.rs"));

/// Cases of one library: a case for each signature, and two more for every fourth, which also calls
/// back and is called by its address.
pub const CASES: usize = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The outcome of a case: what went wrong, if anything did.
pub type Outcome = Result<(), Failure>;

/// What went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The function's name.
    pub case: &'static str,
    /// What did not arrive.
    pub problem: &'static str,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}: {}", self.case, self.problem)
    }
}
