//! What there is in a header, compared with what is bound.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clang::Clang;

use crate::bound::{self, Bound};
use crate::census::{self, Census, Macro};
use crate::corpus::{CORPUS, Entry};
use crate::coverage::Coverage;
use crate::sources;

/// A header's row and its reasons.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the table calls the header.
    pub name: &'static str,
    /// The library and its version.
    pub version: String,
    /// Functions.
    pub functions: Coverage,
    /// Named types.
    pub types: Coverage,
    /// Types with members, whose layout the C compiler checks.
    pub layouts: Coverage,
    /// Global variables.
    pub globals: Coverage,
    /// Macros.
    pub macros: Coverage,
    /// The Rust module.
    pub rust: String,
    /// The C shims.
    pub c: String,
    /// Where the shims' headers are.
    pub includes: Vec<PathBuf>,
}

/// What the generator must reach in every header.
pub const GOAL_PERCENT: usize = 99;

impl Report {
    /// Reports on one entry.
    ///
    /// # Errors
    /// If its header is not there, or not readable.
    pub fn of(entry: &Entry) -> Result<Self> {
        let source = sources::find(entry)?;
        let census = {
            // The generator needs libclang too, which lets one in at a time.
            let clang = Clang::new().map_err(|message| anyhow!("{message}"))?;
            census::count(&clang, entry, &source)?
        };
        let bound = bound::generate(entry, &source)?;
        Ok(Self::compare(entry, census, bound, source))
    }

    /// Reports on the whole corpus.
    ///
    /// # Errors
    /// If a header is not there, or not readable.
    pub fn all() -> Result<Vec<Self>> {
        CORPUS.iter().map(Self::of).collect()
    }

    fn compare(entry: &Entry, census: Census, bound: Bound, source: sources::Source) -> Self {
        let layouts = |name: &str| {
            (!bound.asserts(name)).then(|| "the C compiler does not check its size".to_owned())
        };
        let macros = census.macros.keys();
        Self {
            name: entry.name,
            version: source.version,
            functions: Coverage::of(&census.functions, |name| why_no_function(&bound, name)),
            types: Coverage::of(&census.types, |name| why_no_type(&bound, name)),
            layouts: Coverage::of(&census.laid_out, layouts),
            globals: Coverage::of(&census.globals, |name| why_no_global(&bound, name)),
            macros: Coverage::of(macros, |name| {
                why_no_macro(&bound, name, *census.macros.get(name)?)
            }),
            rust: bound.rust,
            c: bound.c,
            includes: source.includes,
        }
    }

    /// How many functions are not counted: those that no fixed C signature can pass.
    #[must_use]
    pub fn not_counted(&self) -> usize {
        self.functions.excused(is_accepted)
    }

    /// Whether enough functions are bound.
    #[must_use]
    pub fn reaches_goal(&self) -> bool {
        let counted = self.functions.total - self.not_counted();
        counted > 0 && self.functions.bound * 100 >= counted * GOAL_PERCENT
    }
}

/// Reasons that are in the C, not in the generator.
fn is_accepted(reason: &str) -> bool {
    ["variadic", "va_list"].iter().any(|word| reason.contains(word))
}

fn why_no_function(bound: &Bound, name: &str) -> Option<String> {
    if bound.functions.contains(name) {
        return None;
    }
    Some(said(bound, name).unwrap_or_else(|| "unknown: it is not in bindgen's output".to_owned()))
}

fn why_no_type(bound: &Bound, name: &str) -> Option<String> {
    if bound.has_type(name) {
        return None;
    }
    // Rust has these itself.
    if matches!(name, "size_t" | "ssize_t") {
        return None;
    }
    if name.contains("va_list") {
        return Some("a va_list".to_owned());
    }
    let tagged = ["", "struct ", "union ", "enum "];
    let said = tagged.iter().find_map(|tag| said(bound, &format!("{tag}{name}")));
    Some(said.unwrap_or_else(|| "unknown: it is not in bindgen's output".to_owned()))
}

fn why_no_global(bound: &Bound, name: &str) -> Option<String> {
    if bound.globals.contains(name) || bound.constants.contains(name) {
        return None;
    }
    Some(said(bound, name).unwrap_or_else(|| "unknown: it is not in bindgen's output".to_owned()))
}

fn why_no_macro(bound: &Bound, name: &str, kind: Macro) -> Option<String> {
    // A macro may be the name of a function, such as one that is renamed.
    if bound.constants.contains(name) || bound.functions.contains(name) {
        return None;
    }
    let otherwise = match kind {
        Macro::FunctionLike => "takes arguments",
        Macro::Empty => "stands for nothing",
        Macro::Name => "stands for a name that is no constant",
        Macro::Expression => "no constant expression over literals",
    };
    Some(said(bound, name).unwrap_or_else(|| otherwise.to_owned()))
}

/// The generator's own words on an item.
fn said(bound: &Bound, name: &str) -> Option<String> {
    let reason = bound.problems.get(name)?;
    Some(reason.strip_prefix("not bound: ").unwrap_or(reason).to_owned())
}
