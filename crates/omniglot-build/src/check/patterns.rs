//! The user's patterns: each must match something that the headers declare.

use regex::Regex;

use crate::model::Model;
use crate::options::{Options, Purpose, whole_name};
use crate::{Error, Result};

/// A pattern that matches nothing is a typing error.
pub(super) fn check_patterns(model: &Model, options: &Options, errors: &mut Vec<Error>) {
    let purposes = [Purpose::AllowFunction, Purpose::AllowType, Purpose::AllowVar];
    for purpose in purposes {
        let wrong = options.patterns(purpose).map(|pattern| check(model, purpose, pattern));
        errors.extend(wrong.filter_map(Result::err));
    }
}

fn check(model: &Model, purpose: Purpose, pattern: &str) -> Result<()> {
    let method = purpose.method();
    if matches_something(model, purpose, &whole_name(method, pattern)?) {
        return Ok(());
    }
    Err(Error::MatchesNothing { method, pattern: pattern.to_owned() })
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
            constants.any(matches) || model.globals.iter().any(|global| matches(&global.c_name))
        }
        _ => model.types.iter().any(|(name, _)| matches(name)),
    }
}
