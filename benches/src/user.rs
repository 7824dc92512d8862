//! The libraries as a user would use them: with generated bindings, without unsafe code, on any
//! runtime.

#![forbid(unsafe_code)]

pub(crate) mod brotli;
pub(crate) mod jansson;
pub(crate) mod jpeg;
pub(crate) mod lua;
pub(crate) mod png;
pub(crate) mod sodium;
pub(crate) mod sqlite;
pub(crate) mod zlib;
