//! The libraries as a user would use them: generated bindings, no unsafe code, any runtime.

#![forbid(unsafe_code)]

pub(crate) mod brotli;
pub(crate) mod png;
pub(crate) mod sodium;
