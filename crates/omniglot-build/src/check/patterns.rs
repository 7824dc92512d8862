//! The user's patterns: each must match something that the headers declare.

use std::cmp::Reverse;

use regex_lite::Regex;

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
    let mut branches = vec![String::new()];
    let (mut depth, mut in_class, mut is_escaped) = (0_usize, false, false);
    for character in pattern.chars() {
        let is_literal = is_escaped || in_class;
        match character {
            '|' if depth == 0 && !is_literal => {
                branches.push(String::new());
                continue;
            }
            '(' if !is_literal => depth += 1,
            ')' if !is_literal => depth = depth.saturating_sub(1),
            '[' if !is_escaped => in_class = true,
            ']' if !is_escaped => in_class = false,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
        branches.iter_mut().last().into_iter().for_each(|branch| branch.push(character));
    }
    // A class that starts with its own bracket, say, is not taken apart.
    let is_whole = branches.iter().all(|branch| whole_name("", branch).is_ok());
    if is_whole { branches } else { vec![pattern.to_owned()] }
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
        _ => model.types.iter().any(|(name, _)| matches(name) || matches(model.in_c(name))),
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
    let functions = &model.annotations;
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
        assert_eq!(branches(r"a\||[|b]"), [r"a\|", "[|b]"]);
        assert_eq!(branches("[]|]"), ["[]|]"]);
    }

    #[test]
    fn names_that_are_like_a_misspelt_one_are_found() {
        let names = ["compress", "compress2", "compressBound", "uncompress", "inflate", "deflate"];
        assert_eq!(similar("compres", &names)[0], "compress");
        assert_eq!(similar("inflat_*", &names)[0], "inflate");
        assert_eq!(similar("png_read", &names), [""; 0]);
    }
}
