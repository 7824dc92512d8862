//! Which functions are guarded against `longjmp`.

use std::collections::BTreeSet;

use super::patterns;
use crate::diagnostics;
use crate::error::{Error, Problem, Result};
use crate::model::{Function, Guard, Model};
use crate::options::{GuardOption, Options, whole_name};

/// Guards the functions that the user's patterns match.
pub(super) fn set_guards(
    model: &mut Model,
    options: &Options,
    problems: &mut Vec<Problem>,
    errors: &mut Vec<Error>,
) {
    for option in &options.guards {
        errors.extend(set_guard(model, option, problems).err());
    }
}

fn set_guard(model: &mut Model, option: &GuardOption, problems: &mut Vec<Problem>) -> Result<()> {
    let GuardOption { pattern, buffer } = option.clone();
    let regex = whole_name("setjmp_guard", &pattern)?;
    let functions = model.functions.iter_mut();
    let mut matching: Vec<&mut Function> =
        functions.filter(|function| regex.is_match(&function.c_name)).collect();
    if matching.is_empty() {
        let names: Vec<&str> = model.annotations.keys().map(String::as_str).collect();
        return Err(patterns::nothing("setjmp_guard", &pattern, &names));
    }
    // Of the expression's words, those that any matching function has as a parameter.
    let words: BTreeSet<&str> = identifiers(&buffer).collect();
    let parameters = matching.iter().flat_map(|function| &function.parameters);
    let names = parameters.map(|parameter| parameter.c_name.clone());
    let needed: BTreeSet<String> = names.filter(|name| words.contains(name.as_str())).collect();
    if needed.is_empty() {
        return Err(Error::GuardWithoutParameter { pattern, buffer });
    }
    for function in &mut matching {
        guard(function, &needed, &buffer, problems);
    }
    Ok(())
}

fn guard(
    function: &mut Function,
    needed: &BTreeSet<String>,
    buffer: &str,
    problems: &mut Vec<Problem>,
) {
    let has = |name: &String| function.parameters.iter().any(|parameter| &parameter.c_name == name);
    match needed.iter().find(|name| !has(name)) {
        Some(name) => {
            problems.push(Problem::new(&function.c_name, diagnostics::not_guarded(name)));
        }
        None => function.guard = Some(Guard { buffer: buffer.to_owned() }),
    }
}

/// The identifiers of a C expression, without the names of members.
fn identifiers(expression: &str) -> impl Iterator<Item = &str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    expression.split(move |character| !is_word(character)).filter(move |word| {
        // Each word is a part of the expression, so the text before it can be found from its start.
        let start = word.as_ptr().addr() - expression.as_ptr().addr();
        let before = expression.get(..start).unwrap_or_default().trim_end();
        !word.is_empty() && !before.ends_with('.') && !before.ends_with("->")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn members_are_no_parameters() {
        let words: Vec<&str> = super::identifiers("jump(cinfo->err . reader, (size))").collect();
        assert_eq!(words, ["jump", "cinfo", "size"]);
    }
}
