//! Thousands of random signatures, called in both directions.
//!
//! The build script generates C libraries (`build/random.rs`) and binds them. For each signature
//! there is a C function that folds its arguments into a checksum, and derives its result from
//! that. The Rust half does the same and compares. Every fourth signature is also that of a
//! callback, which C calls and Rust answers, and of a C function that is called through its
//! address. The seed is fixed; `OMNIGLOT_ABI_SEED` chooses another.
//!
//! Nothing here needs an allocator or an operating system, so the same cases also run in a kernel
//! (`tests/abi-pmp`).

#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;
pub mod libraries;
pub mod mix;

/// The seed from which the signatures were generated.
pub const SEED: u64 = include!(concat!(env!("OUT_DIR"), "/seed.rs"));

/// The number types besides the usual ones that both clang and the C compiler support here, as C
/// spells them. Unsupported ones are replaced with `double`.
pub const WIDE: &[&str] = include!(concat!(env!("OUT_DIR"), "/wide.rs"));

/// Number of cases of one library: one for each signature, and two more for every fourth, which is
/// also called back and called by address.
pub const CASES: usize = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The outcome of a case.
pub type Outcome = Result<(), Failure>;

/// What went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The function's name.
    pub case: &'static str,
    /// Which value arrived wrongly.
    pub problem: &'static str,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}: {}", self.case, self.problem)
    }
}
