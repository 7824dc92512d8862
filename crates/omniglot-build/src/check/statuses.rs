//! What the results of many functions mean: wrappers for all that match.

use std::collections::BTreeSet;

use super::patterns;
use crate::diagnostics;
use crate::error::{Error, Problem, Result};
use crate::model::{Model, Type};
use crate::options::{Options, StatusOption, whole_name};
use crate::wrapper::Wrapper;

/// Adds to the wrappers what their functions' results mean, and a wrapper for each other function
/// whose result means something.
pub(super) fn add(model: &Model, options: &Options, wrappers: &mut Vec<Wrapper>) -> Result<()> {
    for status in &options.statuses {
        let functions = functions(model, status)?;
        for wrapper in wrappers.iter_mut().filter(|known| functions.contains(&known.function)) {
            if wrapper.success.is_none() && wrapper.text_limit.is_none() {
                *wrapper = with_status(wrapper.clone(), status);
            }
        }
        let known: BTreeSet<String> =
            wrappers.iter().map(|wrapper| wrapper.function.clone()).collect();
        let new = functions.difference(&known).map(Wrapper::function);
        wrappers.extend(new.map(|wrapper| with_status(wrapper, status)));
    }
    Ok(())
}

fn with_status(wrapper: Wrapper, status: &StatusOption) -> Wrapper {
    wrapper.status_ok(status.success).message(&status.message)
}

/// The functions that match, and whose result is what the message is about.
fn functions(model: &Model, status: &StatusOption) -> Result<BTreeSet<String>> {
    let StatusOption { pattern, message, .. } = status;
    let Some(explained) = explained(model, message) else {
        let problem = Problem::new(message, diagnostics::no_message(message));
        return Err(Error::Wrappers { problems: vec![problem] });
    };
    let regex = whole_name("status", pattern)?;
    let matching = model
        .functions
        .iter()
        .filter(|function| regex.is_match(&function.c_name) && function.result == *explained);
    let names: BTreeSet<String> = matching.map(|function| function.c_name.clone()).collect();
    if names.is_empty() {
        let known: Vec<&str> =
            model.functions.iter().map(|function| function.c_name.as_str()).collect();
        return Err(patterns::nothing("status", pattern, &known));
    }
    Ok(names)
}

/// The type of what a function explains.
fn explained<'a>(model: &'a Model, message: &str) -> Option<&'a Type> {
    let function = model.functions.iter().find(|function| function.c_name == message)?;
    match function.parameters.as_slice() {
        [parameter] => Some(&parameter.ty),
        _ => None,
    }
}
