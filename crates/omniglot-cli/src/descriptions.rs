//! Reads builder calls with several parts from a TOML file: wrappers, handles, variadic functions
//! and macros. Tables and keys are named like the builder's methods.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use omniglot_build::{Error, Handle, Library, Problem, Wrapper};
use serde::Deserialize;
use toml::Spanned;

use crate::failure::Failure;

/// The tables of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(default)]
    wrap: Vec<Wrap>,
    #[serde(default)]
    handle: Vec<HandleOf>,
    #[serde(default)]
    variadic: Vec<Variadic>,
    #[serde(default)]
    function_macro: Vec<FunctionMacro>,
    #[serde(default)]
    status: Vec<Status>,
}

/// The wrapper of a function. Slices and arrays are pairs: the pointer, and the length or the
/// parameter with the length.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrap {
    function: Spanned<String>,
    #[serde(default)]
    in_slice: BTreeMap<String, String>,
    #[serde(default)]
    out_slice: BTreeMap<String, String>,
    #[serde(default)]
    in_out_slice: BTreeMap<String, String>,
    #[serde(default)]
    in_array: BTreeMap<String, u64>,
    #[serde(default)]
    out_array: BTreeMap<String, u64>,
    #[serde(default)]
    in_str: Vec<String>,
    #[serde(default)]
    in_c_str: Vec<String>,
    #[serde(default)]
    out: Vec<String>,
    #[serde(default)]
    optional: Vec<String>,
    status_ok: Option<i64>,
    status_at_least: Option<i64>,
    message: Option<String>,
    returns_str: Option<u64>,
}

/// An opaque type whose objects have an owner in Rust.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandleOf {
    of: Spanned<String>,
    #[serde(default)]
    constructor: Vec<Spanned<String>>,
    destructor: Spanned<String>,
    named: Option<String>,
}

/// A variadic function with fixed parameter types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variadic {
    function: String,
    named: String,
    parameters: String,
}

/// A macro to be bound as a function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionMacro {
    name: String,
    signature: String,
}

/// The meaning of the results of a set of functions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    pattern: String,
    success: i64,
    message: String,
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Descriptions {
    path: PathBuf,
    tables: Tables,
    /// For each C name, the line that describes it.
    lines: BTreeMap<String, usize>,
}

impl Descriptions {
    /// Parses a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::File(path.to_owned(), error);
        let text = fs::read_to_string(path).map_err(failed)?;
        let tables: Tables = toml::from_str(&text).map_err(|error| {
            let message = error.message().to_owned();
            Failure::Description {
                path: path.to_owned(),
                line: line_of(&text, error.span()),
                message,
            }
        })?;
        let lines =
            tables.names().map(|name| (name.get_ref().clone(), line_of(&text, Some(name.span()))));
        Ok(Self { path: path.to_owned(), lines: lines.collect(), tables })
    }

    /// Applies all descriptions to the builder.
    pub(crate) fn describe(&self, mut library: Library) -> Library {
        let Tables { wrap, handle, variadic, function_macro, status } = &self.tables;
        library = wrap.iter().map(Wrap::wrapper).fold(library, Library::wrap);
        library = handle.iter().map(HandleOf::handle).fold(library, Library::handle);
        for Variadic { function, named, parameters } in variadic {
            library = library.variadic(function, named, parameters);
        }
        for FunctionMacro { name, signature } in function_macro {
            library = library.function_macro(name, signature);
        }
        for Status { pattern, success, message } in status {
            library = library.status(pattern, *success, message);
        }
        library
    }

    /// Formats an error message in which each problem begins with the line of the description that
    /// it concerns.
    pub(crate) fn locate(&self, error: &Error, message: String) -> String {
        let mut message = message;
        for problem in problems(error) {
            if let Some(line) = self.lines.get(&problem.item) {
                let place = format!("\n{}:{line}: {problem}", self.path.display());
                message = message.replace(&format!("\n{problem}"), &place);
            }
        }
        message
    }
}

/// The individual problems of an error.
fn problems(error: &Error) -> Vec<&Problem> {
    match error {
        Error::Wrappers { problems } => problems.iter().collect(),
        Error::Several { errors } => errors.iter().flat_map(problems).collect(),
        _ => Vec::new(),
    }
}

impl Tables {
    /// The C names that problems may concern, the more specific ones last.
    fn names(&self) -> impl Iterator<Item = &Spanned<String>> {
        let handles = self
            .handle
            .iter()
            .flat_map(|handle| handle.constructor.iter().chain([&handle.destructor, &handle.of]));
        handles.chain(self.wrap.iter().map(|wrap| &wrap.function))
    }
}

impl Wrap {
    fn wrapper(&self) -> Wrapper {
        let mut wrapper = Wrapper::function(self.function.get_ref());
        wrapper = pairs(wrapper, &self.in_slice, Wrapper::in_slice);
        wrapper = pairs(wrapper, &self.out_slice, Wrapper::out_slice);
        wrapper = pairs(wrapper, &self.in_out_slice, Wrapper::in_out_slice);
        wrapper =
            pairs(wrapper, &self.in_array, |wrapper, pointer, len| wrapper.in_array(pointer, *len));
        wrapper = pairs(wrapper, &self.out_array, |wrapper, pointer, len| {
            wrapper.out_array(pointer, *len)
        });
        wrapper = self.in_str.iter().fold(wrapper, Wrapper::in_str);
        wrapper = self.in_c_str.iter().fold(wrapper, Wrapper::in_c_str);
        wrapper = self.out.iter().fold(wrapper, Wrapper::out);
        wrapper = self.optional.iter().fold(wrapper, Wrapper::optional);
        self.result(wrapper)
    }

    fn result(&self, mut wrapper: Wrapper) -> Wrapper {
        wrapper = self.status_ok.into_iter().fold(wrapper, Wrapper::status_ok);
        wrapper = self.status_at_least.into_iter().fold(wrapper, Wrapper::status_at_least);
        wrapper = self.message.iter().fold(wrapper, Wrapper::message);
        self.returns_str.into_iter().fold(wrapper, Wrapper::returns_str)
    }
}

/// Applies each pair of pointer and length to a wrapper.
fn pairs<'a, L>(
    wrapper: Wrapper,
    pairs: &'a BTreeMap<String, L>,
    tell: impl Fn(Wrapper, &'a String, &'a L) -> Wrapper,
) -> Wrapper {
    pairs.iter().fold(wrapper, |wrapper, (pointer, len)| tell(wrapper, pointer, len))
}

impl HandleOf {
    fn handle(&self) -> Handle {
        let handle = Handle::of(self.of.get_ref()).destructor(self.destructor.get_ref());
        let makers = self.constructor.iter().map(Spanned::get_ref);
        let handle = makers.fold(handle, Handle::constructor);
        self.named.iter().fold(handle, Handle::named)
    }
}

/// The line of a span in a text, or 1 if there is no span.
fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
