//! How much of real libraries' headers the generator binds, and why not the rest.
//!
//! Two independent readers look at each header of the [`corpus`]: libclang counts what
//! it declares ([`census`]), and the generator's output says what is bound ([`bound`]).
//! A [`Report`] compares the two, and [`table`] makes `docs/headers.md` of all of them.
//! `cargo run -p omniglot-headers` writes what that file says of the headers that every run of the
//! tests takes; with `all`, or names of headers, of those. The tests fail when it is stale; they
//! take the headers that the variable `OMNIGLOT_HEADERS` names in the same way.

#![forbid(unsafe_code)]

pub mod bound;
pub mod census;
pub mod constants;
pub mod corpus;
pub mod coverage;
mod processor;
pub mod report;
pub mod sources;
pub mod table;

pub use corpus::{CORPUS, Entry, chosen};
pub use coverage::Coverage;
pub use report::Report;
