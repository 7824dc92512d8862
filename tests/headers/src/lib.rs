//! How much of real libraries' headers the generator binds, and why the rest is not bound.
//!
//! Two independent readers process each header of the [`corpus`]. libclang lists what it declares
//! ([`census`]), and the generator's output shows what is bound ([`bound`]). A [`Report`] compares
//! the two, and [`table`] writes `docs/headers.md` from all reports. `cargo run -p
//! omniglot-headers` updates that file for the headers that every run of the tests includes; with
//! `all`, or with names of headers, it updates those. The tests fail if the file is stale. The
//! variable `OMNIGLOT_HEADERS` selects their headers in the same way.

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
