//! Descriptions of failures, without an allocator.

use core::fmt::{self, Debug, Write};
use core::panic::Location;

use arrayvec::ArrayString;
use omniglot::{Error, Fault};

/// The result of a case.
pub type Outcome = Result<(), Failure>;

/// A message, truncated to fit.
pub(crate) type Message = ArrayString<104>;

/// What was wrong, and the place in the case that found it.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    place: &'static Location<'static>,
    /// The expression that has another value than it should; empty if there is none.
    expression: &'static str,
    what: Message,
}

impl Failure {
    /// Makes a failure located at the caller.
    #[track_caller]
    fn new(what: fmt::Arguments<'_>) -> Self {
        let mut text = Message::new();
        // What does not fit is omitted.
        let _ = text.write_fmt(what);
        Self { place: Location::caller(), expression: "", what: text }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.place)?;
        if !self.expression.is_empty() {
            write!(out, "`{}` is ", self.expression)?;
        }
        write!(out, "{}", self.what)
    }
}

/// An error that the case did not expect.
impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{error}"))
    }
}

/// Fails unless both are equal, with the first expression and both values.
macro_rules! equal {
    ($found:expr, $wanted:expr $(,)?) => {
        $crate::failure::compare(stringify!($found), $found, $wanted)
    };
}
pub(crate) use equal;

/// As [`equal`], which passes the expression.
#[track_caller]
pub(crate) fn compare<T: PartialEq + Debug>(
    expression: &'static str,
    found: T,
    wanted: T,
) -> Outcome {
    if found == wanted {
        return Ok(());
    }
    let failure = Failure::new(format_args!("{found:?} where it should be {wanted:?}"));
    Err(Failure { expression, ..failure })
}

/// Fails unless `truth` is true.
#[track_caller]
pub(crate) fn holds(truth: bool, what: &str) -> Outcome {
    if truth { Ok(()) } else { Err(Failure::new(format_args!("it does not hold that {what}"))) }
}

/// Returns the fault that a call ended with. Anything else is a failure.
#[track_caller]
pub(crate) fn fault<T: Debug>(result: omniglot::Result<T>) -> Result<Fault, Failure> {
    match result {
        Err(Error::Fault(fault)) => Ok(fault),
        other => Err(Failure::new(format_args!("{other:?} where it should be a fault"))),
    }
}

/// Returns the value. Fails if there is none.
#[track_caller]
pub(crate) fn present<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::new(format_args!("nothing where there should be something")))
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::string::ToString;

    #[test]
    fn a_failure_names_the_place_and_the_expression() {
        let failure = equal!(1 + 1, 3).err().map(|failure| failure.to_string());
        let text = failure.unwrap_or_default();
        assert!(text.starts_with("tests/conformance/src/failure.rs:"), "{text}");
        assert!(text.ends_with(": `1 + 1` is 2 where it should be 3"), "{text}");
    }
}
