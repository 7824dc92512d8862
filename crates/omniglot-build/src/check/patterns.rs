//! Patterns of the user: each must match something that the headers declare.

use regex::Regex;

use crate::model::Model;
use crate::options::{Options, Purpose, whole_name};
use crate::{Error, Result};

/// A pattern of the user that matches nothing is a typing error.
pub(super) fn check_patterns(model: &Model, options: &Options) -> Result<()> {
    let purposes = [Purpose::AllowFunction, Purpose::AllowType, Purpose::AllowVar];
    for purpose in purposes {
        for pattern in options.patterns(purpose) {
            let method = purpose.method();
            let regex = whole_name(method, pattern)?;
            if !matches_something(model, purpose, &regex) {
                return Err(Error::MatchesNothing { method, pattern: pattern.to_owned() });
            }
        }
    }
    Ok(())
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
