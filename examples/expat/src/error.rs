//! What can go wrong.

use std::fmt;

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text is not XML, in expat's words.
    Xml {
        /// What is wrong.
        message: String,
        /// In which line, counted from 1.
        line: u64,
        /// In which column, counted from 1.
        column: u64,
    },
    /// Elements are nested deeper than this.
    TooDeep(usize),
    /// expat reports something impossible.
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
