//! The error type.

use std::fmt;

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text is not well-formed XML, according to expat.
    Xml {
        /// expat's message.
        message: String,
        /// The line, counted from 1.
        line: u64,
        /// The column, counted from 1.
        column: u64,
    },
    /// Elements are nested more deeply than this.
    TooDeep(usize),
    /// expat returned something impossible.
    Nonsense(&'static str),
    /// expat crashed, ran too long or made a forbidden system call.
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
            Self::Xml { message, line, column } => {
                write!(out, "line {line}, column {column}: {message}")
            }
            Self::TooDeep(limit) => write!(out, "more than {limit} elements in one another"),
            Self::Nonsense(what) => write!(out, "expat contradicts itself: {what}"),
            Self::Foreign(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
