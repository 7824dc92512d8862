//! A runtime without foreign code: a script says what "foreign code" does. So the core's own rules
//! can be tested, under Miri too, and the examples in its documentation run without a C compiler.
#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests")]

mod library;
mod runtime;

pub use library::*;
pub use runtime::*;
