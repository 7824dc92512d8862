//! The error type.

use std::fmt;

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// SQLite reports an error, with its code and message.
    Sqlite {
        /// One of SQLite's codes, such as 1 for an error in SQL.
        code: i32,
        /// SQLite's message.
        message: String,
    },
    /// A statement was used with a database that did not prepare it.
    OtherDatabase,
    /// The number of parameters is wrong.
    Parameters {
        /// How many the statement has.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// A name, text or SQL has more bytes than SQLite can count.
    TooLong,
    /// SQLite returned something impossible.
    Nonsense(&'static str),
    /// SQLite crashed, ran too long or made a forbidden system call.
    Foreign(omniglot::Error),
}

impl From<omniglot::Error> for Error {
    fn from(error: omniglot::Error) -> Self {
        Self::Foreign(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { code, message } => write!(out, "SQLite: {message} (code {code})"),
            Self::OtherDatabase => out.write_str("the statement belongs to another database"),
            Self::Parameters { expected, given } => {
                write!(out, "the statement has {expected} parameters, and {given} were given")
            }
            Self::TooLong => out.write_str("more text than SQLite can count"),
            Self::Nonsense(what) => write!(out, "SQLite contradicts itself: {what}"),
            Self::Foreign(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
