//! Thousands of random signatures, called in both directions.
//!
//! The build script makes up C libraries (`build/random.rs`) and binds them. For each
//! signature there is a C function that folds its arguments into a checksum, and makes
//! its result of that; this half does the same and compares. Every fourth signature is
//! also that of a callback, which C calls and Rust answers, and of a C function that is
//! called by its address. The seed is fixed; `OMNIGLOT_ABI_SEED` chooses another.

#![forbid(unsafe_code)]

#[macro_use]
mod macros;
pub mod libraries;
pub mod mix;

/// The seed that the signatures were made from.
pub const SEED: u64 = include!(concat!(env!("OUT_DIR"), "/seed.rs"));

/// What became of a case: what went wrong, if anything did.
pub type Outcome = Result<(), String>;
