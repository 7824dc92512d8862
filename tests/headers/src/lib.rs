//! How much of real libraries' headers the generator binds, and why not the rest.
//!
//! Two independent readers look at each header of the [`corpus`]: libclang counts what
//! it declares ([`census`]), and the generator's output says what is bound ([`bound`]).
//! A [`Report`] compares the two, and [`table`] makes `docs/headers.md` of all of them.
//! `cargo run -p omniglot-headers` writes that file; the tests fail when it is stale.

#![forbid(unsafe_code)]

pub mod bound;
pub mod census;
pub mod constants;
pub mod corpus;
pub mod coverage;
pub mod report;
pub mod sources;
pub mod table;

pub use corpus::{CORPUS, Entry};
pub use coverage::Coverage;
pub use report::Report;
