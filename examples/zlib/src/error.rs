//! The error type.

use std::{fmt, io};

/// Why data was not compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The compressed data is damaged, with zlib's message.
    Data(String),
    /// The output does not fit in the buffer.
    TooLong,
    /// zlib returned a status that this crate does not explain.
    Status(i32),
    /// zlib returned something impossible.
    Nonsense(&'static str),
    /// zlib crashed, ran too long or made a forbidden system call.
    Foreign(omniglot::Error),
}

impl From<omniglot::Error> for Error {
    fn from(error: omniglot::Error) -> Self {
        Self::Foreign(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Data(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(message) => write!(out, "damaged data: {message}"),
            Self::TooLong => out.write_str("the data does not fit the room for it"),
            Self::Status(status) => write!(out, "zlib fails with status {status}"),
            Self::Nonsense(what) => write!(out, "zlib contradicts itself: {what}"),
            Self::Foreign(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
