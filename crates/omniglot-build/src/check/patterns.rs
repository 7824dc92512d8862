//! The user's patterns: each must match something that the headers declare.

use std::cmp::Reverse;

use regex::Regex;
use regex_syntax::ast::{Ast, parse::Parser};

use crate::error::{Error, Result};
use crate::model::{Definition, Model};
use crate::options::{Options, Purpose, whole_name};

/// A pattern that matches nothing is a typing error, and so is a branch of one.
pub(super) fn check_patterns(model: &Model, options: &Options, errors: &mut Vec<Error>) {
    let purposes = [Purpose::AllowFunction, Purpose::AllowType, Purpose::AllowVar];
    for purpose in purposes {
        for pattern in options.patterns(purpose) {
            let wrong = branches(pattern).into_iter().map(|branch| check(model, purpose, &branch));
            errors.extend(wrong.filter_map(Result::err));
        }
    }
}

/// The alternatives of a pattern: `a|b` is one and another.
fn branches(pattern: &str) -> Vec<String> {
    match &Parser::new().parse(pattern) {
        Ok(Ast::Alternation(several)) => several.asts.iter().map(Ast::to_string).collect(),
        _ => vec![pattern.to_owned()],
    }
}

fn check(model: &Model, purpose: Purpose, pattern: &str) -> Result<()> {
    let method = purpose.method();
    if matches_something(model, purpose, &whole_name(method, pattern)?) {
        return Ok(());
    }
    Err(nothing(method, pattern, &declared(model, purpose)))
}

/// The error for a pattern that matches none of these names.
pub(super) fn nothing(method: &'static str, pattern: &str, names: &[&str]) -> Error {
    Error::MatchesNothing { method, pattern: pattern.to_owned(), similar: similar(pattern, names) }
}

fn matches_something(model: &Model, purpose: Purpose, regex: &Regex) -> bool {
    let matches = |name: &str| regex.is_match(name);
    match purpose {
        Purpose::AllowFunction => model
            .functions
            .iter()
            .any(|function| matches(&function.c_name) || matches(&function.name)),
        Purpose::AllowVar => {
            let mut constants = model.constants.iter().map(|constant| constant.name.as_str());
            constants.any(matches)
                || model.globals.iter().any(|global| matches(&global.c_name))
                // The enum is bound for another reason: its constants are its own, and there.
                || model.types.iter().any(|(_, definition)| has_constant(definition, regex))
        }
        _ => model.types.iter().any(|(name, _)| matches(name)),
    }
}

fn has_constant(definition: &Definition, regex: &Regex) -> bool {
    let Definition::Enum(definition) = definition else { return false };
    let variants = definition.variants.iter().map(|variant| &variant.name);
    let synonyms = definition.synonyms.iter().map(|(name, _)| name);
    variants.chain(synonyms).any(|name| regex.is_match(name))
}

/// All names of that kind in the headers, whether they are to be bound or not.
fn declared(model: &Model, purpose: Purpose) -> Vec<&str> {
    let functions = &model.declared.functions;
    match purpose {
        Purpose::AllowFunction => functions.keys().map(String::as_str).collect(),
        Purpose::AllowVar => model.macros.iter().map(String::as_str).collect(),
        _ => {
            let names = model.places.keys().filter(|name| !functions.contains_key(*name));
            names.map(String::as_str).collect()
        }
    }
}

/// The few names that are most like a pattern's text, best first.
fn similar(pattern: &str, names: &[&str]) -> Vec<String> {
    const MOST: usize = 3;
    /// Of 1000, which is equality. Below this, names have little but letters in common.
    const LEAST: u32 = 850;
    let is_name = |character: &char| character.is_alphanumeric() || *character == '_';
    let text: String = pattern.chars().filter(is_name).collect::<String>().to_lowercase();
    let likeness = |name: &str| {
        let likeness = strsim::jaro_winkler(&text, &name.to_lowercase());
        // From 0 to 1.
        (likeness * 1000.0) as u32
    };
    let mut known: Vec<(Reverse<u32>, &str)> = names
        .iter()
        .map(|name| (Reverse(likeness(name)), *name))
        .filter(|(likeness, _)| likeness.0 >= LEAST)
        .collect();
    known.sort_unstable();
    known.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{branches, similar};

    #[test]
    fn alternatives_are_looked_at_one_by_one() {
        assert_eq!(branches("png_read_.*|png_(sig|set)_cmp"), ["png_read_.*", "png_(sig|set)_cmp"]);
        assert_eq!(branches("(a|b)c"), ["(a|b)c"]);
    }

    #[test]
    fn names_that_are_like_a_misspelt_one_are_found() {
        let names = ["compress", "compress2", "compressBound", "uncompress", "inflate", "deflate"];
        assert_eq!(similar("compres", &names)[0], "compress");
        assert_eq!(similar("inflat_*", &names)[0], "inflate");
        assert_eq!(similar("png_read", &names), [""; 0]);
    }
}
