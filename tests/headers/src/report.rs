//! Compares what a header declares with what is bound.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clang::Clang;

use crate::bound::{self, Bound};
use crate::census::{self, Census, Macro};
use crate::constants::Constants;
use crate::corpus::Entry;
use crate::coverage::Coverage;
use crate::sources;

/// The row of a header, with the reasons for what is not bound.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The header's name in the table.
    pub name: &'static str,
    /// The library and the version of its headers.
    pub version: String,
    /// The libclang that parsed the header.
    pub reader: String,
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
    /// The constants in Rust from the header's own macros.
    pub constants: Constants,
    /// The lines that include the headers.
    pub lines: String,
    /// The directories of the shims' headers.
    pub includes: Vec<PathBuf>,
    /// Macros that the headers require, as compiler arguments.
    pub defines: Vec<String>,
    /// True if every run of the tests includes the header.
    pub everyday: bool,
    /// Processor time that generating took, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Reports on one entry.
    ///
    /// # Errors
    /// If its header is missing or unreadable.
    pub fn of(entry: &Entry) -> Result<Self> {
        let source = sources::find(entry)?;
        let (census, reader) = {
            // The generator needs libclang too, which only one user at a time may load.
            let clang = Clang::new().map_err(|message| anyhow!("{message}"))?;
            (census::count(&clang, entry, &source)?, clang::get_version())
        };
        let bound = bound::generate(entry, &source)?;
        let reader = reader.trim().to_owned();
        Ok(Self { reader, ..Self::compare(entry, census, bound, source) })
    }

    /// Reports on several entries.
    ///
    /// # Errors
    /// If a header is missing or unreadable.
    pub fn on(entries: &[&Entry]) -> Result<Vec<Self>> {
        entries.iter().map(|entry| Self::of(entry)).collect()
    }

    fn compare(entry: &Entry, census: Census, bound: Bound, source: sources::Source) -> Self {
        let layouts = |name: &str| {
            (!bound.asserts(name)).then(|| "the C compiler does not check its size".to_owned())
        };
        let macros = census.macros.keys();
        let is_macro = |name: &String| census.macros.contains_key(name);
        let values = bound.values.iter().filter(|(name, _)| is_macro(name));
        let lines = entry.headers.iter().map(|header| format!("#include \"{header}\"\n"));
        Self {
            name: entry.name,
            version: source.edition(&census.files),
            functions: Coverage::of(&census.functions, |name| why_no_function(&bound, name)),
            types: Coverage::of(&census.types, |name| why_no_type(&bound, name)),
            layouts: Coverage::of(&census.laid_out, layouts),
            globals: Coverage::of(&census.globals, |name| why_no_global(&bound, name)),
            macros: Coverage::of(macros, |name| {
                why_no_macro(&bound, name, *census.macros.get(name)?)
            }),
            constants: values.map(|(name, value)| (name.clone(), value.clone())).collect(),
            lines: lines.collect(),
            rust: bound.rust,
            c: bound.c,
            includes: source.includes,
            defines: entry
                .defines
                .iter()
                .map(|(name, value)| format!("-D{name}={value}"))
                .collect(),
            everyday: entry.everyday,
            seconds: bound.seconds,
            ..Self::default()
        }
    }

    /// Returns how many functions are not counted: those that no fixed C signature can pass.
    #[must_use]
    pub fn not_counted(&self) -> usize {
        self.functions.excused(is_accepted)
    }

    /// Returns what should be bound but is not, whatever the header's version: every function,
    /// type, layout and global, except those that no fixed C signature can pass, and every literal.
    #[must_use]
    pub fn missing(&self) -> Vec<(&str, &[String])> {
        let items = [&self.functions, &self.types, &self.layouts, &self.globals];
        let items = items.into_iter().flat_map(|coverage| &coverage.left_out);
        let items = items.filter(|(reason, _)| !is_accepted(reason));
        let items = items.map(|(reason, names)| (reason.as_str(), names.as_slice()));
        items.chain(self.missing_literals()).collect()
    }

    /// Returns the literals among the macros that are not bound, which nothing excuses.
    pub fn missing_literals(&self) -> impl Iterator<Item = (&str, &[String])> {
        let literals = self.macros.left_out.iter().filter(|(reason, _)| *reason == LITERAL);
        literals.map(|(reason, names)| (reason.as_str(), names.as_slice()))
    }
}

/// The reason for a literal macro that is not bound, which is not accepted.
const LITERAL: &str = "a literal that is not bound";

/// Returns true for a reason that lies in C itself, not in the generator.
fn is_accepted(reason: &str) -> bool {
    ["variadic", "va_list"].iter().any(|word| reason.contains(word))
}

fn why_no_function(bound: &Bound, name: &str) -> Option<String> {
    if bound.functions.contains(name) {
        return None;
    }
    Some(said(bound, name).unwrap_or_else(|| "unknown: it is not in what is generated".to_owned()))
}

fn why_no_type(bound: &Bound, name: &str) -> Option<String> {
    if bound.has_type(name) {
        return None;
    }
    // Rust has its own versions of these.
    if matches!(name, "size_t" | "ssize_t") {
        return None;
    }
    if name.contains("va_list") {
        return Some("a va_list".to_owned());
    }
    let tagged = ["", "struct ", "union ", "enum "];
    let said = tagged.iter().find_map(|tag| said(bound, &format!("{tag}{name}")));
    Some(said.unwrap_or_else(|| "unknown: it is not in what is generated".to_owned()))
}

fn why_no_global(bound: &Bound, name: &str) -> Option<String> {
    if bound.globals.contains(name) || bound.constants.contains(name) {
        return None;
    }
    Some(said(bound, name).unwrap_or_else(|| "unknown: it is not in what is generated".to_owned()))
}

fn why_no_macro(bound: &Bound, name: &str, kind: Macro) -> Option<String> {
    // A macro may be the name of a function, for example of one that is renamed.
    if bound.constants.contains(name) || bound.functions.contains(name) {
        return None;
    }
    let otherwise = match kind {
        Macro::FunctionLike => "takes arguments",
        Macro::Undefined => "undefined again",
        Macro::Empty => "stands for nothing",
        Macro::Literal => LITERAL,
        Macro::Name => "stands for a name that is no constant",
        Macro::Expression => "no constant expression over literals",
    };
    Some(said(bound, name).unwrap_or_else(|| otherwise.to_owned()))
}

/// Returns the generator's message about an item.
fn said(bound: &Bound, name: &str) -> Option<String> {
    let reason = bound.problems.get(name)?;
    Some(reason.strip_prefix("not bound: ").unwrap_or(reason).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Bound, Macro, Report, why_no_function, why_no_macro};
    use crate::coverage::Coverage;

    /// A report on functions and macros, none of which are bound.
    fn unbound(functions: &[&str], macros: &[&str], kind: Macro, bound: &Bound) -> Report {
        let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        Report {
            functions: Coverage::of(&owned(functions), |name| why_no_function(bound, name)),
            macros: Coverage::of(&owned(macros), |name| why_no_macro(bound, name, kind)),
            ..Report::default()
        }
    }

    #[test]
    fn what_is_left_out_without_a_good_reason_is_missing() {
        let mut bound = Bound::default();
        bound.problems.insert("f".to_owned(), "not bound: it is variadic".to_owned());
        bound.problems.insert("g".to_owned(), "not bound: too hard".to_owned());
        let report = unbound(&["f", "g", "h"], &["A"], Macro::Expression, &bound);
        let missing: Vec<&str> = report.missing().iter().map(|(reason, _)| *reason).collect();
        assert_eq!(missing, ["too hard", "unknown: it is not in what is generated"]);
        assert_eq!(report.not_counted(), 1);
        assert_eq!(unbound(&[], &["A"], Macro::Literal, &bound).missing().len(), 1);
    }
}
