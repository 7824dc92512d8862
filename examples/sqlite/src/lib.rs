//! SQLite through bindings that check everything: statements, rows, and SQL functions in Rust.
//!
//! SQLite runs in a worker process without files, so databases are in memory. Whatever SQLite does,
//! with whatever SQL, the worst result is an error.

#![forbid(unsafe_code)]

mod database;
mod deferred;
mod error;
mod function;
mod place;
mod rows;
mod statement;
mod system;
mod value;

pub use database::Database;
pub use error::Error;
pub use rows::Rows;
pub use statement::Statement;
pub use value::Value;

/// The bindings that are generated from `sqlite3.h`.
mod sqlite {
    omniglot::include_library!("sqlite");
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
