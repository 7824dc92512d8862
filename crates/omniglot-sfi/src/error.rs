//! What cannot be rewritten, and where.

use std::fmt;

/// Something in an object that the rewriter does not do, or that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object: a file's name, and behind it in parentheses a member's.
    pub object: String,
    /// The section, where it is about one.
    pub section: Option<String>,
    /// The function or variable, where the object has a symbol there.
    pub symbol: Option<String>,
    /// How many bytes into the section.
    pub offset: u64,
    /// The instruction, in Intel's syntax.
    pub instruction: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Problem {
    /// About an object as a whole.
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

/// Why there is no image: all problems that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// How many problems are told one by one.
const TOLD: usize = 20;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "these objects cannot be rewritten ({} problems)", self.problems.len())?;
        for problem in self.problems.iter().take(TOLD) {
            write!(formatter, "\n  {problem}")?;
        }
        if self.problems.len() > TOLD {
            write!(formatter, "\n  and {} more", self.problems.len() - TOLD)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
