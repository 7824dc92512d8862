//! Errors: what cannot be rewritten, and where it is.

use std::fmt;

/// Something in an object that the rewriter does not support, or that is wrong with the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object: a file name, followed by the name of an archive member in parentheses.
    pub object: String,
    /// The section, if the problem concerns one.
    pub section: Option<String>,
    /// The function or variable there, if the object has a symbol for it.
    pub symbol: Option<String>,
    /// The offset in the section, in bytes.
    pub offset: u64,
    /// The instruction, in Intel syntax.
    pub instruction: Option<String>,
    /// A description of the problem.
    pub what: String,
    /// The remedy.
    pub remedy: &'static str,
}

impl Problem {
    /// A problem of an object as a whole.
    pub(crate) fn of_object(object: &str, what: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            object: object.to_owned(),
            section: None,
            symbol: None,
            offset: 0,
            instruction: None,
            what: what.into(),
            remedy,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.object)?;
        if let Some(section) = &self.section {
            write!(formatter, ", {section}+{:#x}", self.offset)?;
        }
        if let Some(symbol) = &self.symbol {
            write!(formatter, " in {symbol}")?;
        }
        if let Some(instruction) = &self.instruction {
            write!(formatter, " ({instruction})")?;
        }
        write!(formatter, ": {}; {}", self.what, self.remedy)
    }
}

/// The reason why there is no image: all problems that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The problems, at least one.
    pub problems: Vec<Problem>,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// The maximum number of problems that are printed.
const MAX_PRINTED: usize = 20;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "these objects cannot be rewritten ({} problems)", self.problems.len())?;
        for problem in self.problems.iter().take(MAX_PRINTED) {
            write!(formatter, "\n  {problem}")?;
        }
        if self.problems.len() > MAX_PRINTED {
            write!(formatter, "\n  and {} more", self.problems.len() - MAX_PRINTED)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
