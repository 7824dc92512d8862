//! Reads headers: libclang's tree, once, and the model of what is wanted of it.

mod annotations;
mod arguments;
mod clang_types;
mod comments;
mod constants;
mod enums;
mod functions;
mod globals;
mod macros;
mod numbers;
mod own;
mod padding;
mod reach;
mod reader;
mod records;
mod rust_names;
mod tree;
mod types;
mod wanted;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clang::diagnostic::Severity;
use clang::{Clang, Index, TranslationUnit, Unsaved};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::options::Options;
use crate::scalar::Target;
use reader::Reader;
use tree::Tree;
use wanted::Wanted;

use arguments::Files;
pub(crate) use arguments::{EXTRA, include_lines};

/// What was read.
pub(crate) struct Headers {
    pub(crate) model: Model,
    /// Every file that was included.
    pub(crate) included: BTreeSet<PathBuf>,
}

/// libclang permits one user at a time, and so does this crate.
static CLANG: Mutex<()> = Mutex::new(());

/// Reads the headers for a target.
pub(crate) fn read(options: &Options, includes: &[PathBuf], target: &Target) -> Result<Headers> {
    let _guard = CLANG.lock().unwrap_or_else(PoisonError::into_inner);
    let clang = Clang::new().map_err(|message| Error::LibclangMissing { message })?;
    let index = Index::new(&clang, false, false);
    let plain = arguments::arguments(options, includes, target);
    let files = Files::new(options);
    let with = |more: Vec<String>| [plain.clone(), more].concat();
    let mut arguments = with(annotations::keeping().collect());
    let mut parsed = parse(&index, &files, &arguments)?;
    if !errors(&parsed).is_empty() {
        // Perhaps an annotation stands where clang keeps none.
        arguments = with(annotations::ignoring().collect());
        parsed = parse(&index, &files, &arguments)?;
    }
    let messages = files.named(&errors(&parsed));
    if !messages.is_empty() {
        return Err(Error::Header { headers: options.headers.clone(), messages });
    }
    let wanted = Wanted::new(options, includes, target)?;
    let tree = Tree::new(&parsed);
    let mut reader = Reader::new(&tree, &wanted, options);
    reader.read();
    let lines = include_lines(options);
    let constants = macros::evaluate(&index, &parsed, &lines, &arguments, &wanted)?;
    constants.iter().for_each(|found| reader.macro_constant(found));
    let mut model = reader.finish();
    padding::arrange(&mut model, target);
    let mut included = tree.included;
    included.retain(|path| !files.has(path));
    Ok(Headers { model, included })
}

fn parse<'i>(
    index: &'i Index<'_>,
    files: &Files,
    arguments: &[String],
) -> Result<TranslationUnit<'i>> {
    let files = &files.files;
    let unsaved: Vec<Unsaved> = files.iter().map(|(path, text)| Unsaved::new(path, text)).collect();
    let main = files.first().map(|(path, _)| path.clone()).unwrap_or_default();
    index
        .parser(main)
        .arguments(arguments)
        .unsaved(&unsaved)
        .skip_function_bodies(true)
        .include_attributed_types(true)
        .detailed_preprocessing_record(true)
        .parse()
        .map_err(|error| Error::Parser { message: error.to_string() })
}

/// What clang has against the headers, a line for each error.
fn errors(parsed: &TranslationUnit<'_>) -> String {
    let found = parsed.get_diagnostics();
    let errors = found.iter().filter(|found| found.get_severity() >= Severity::Error);
    errors.map(|error| format!("{error}\n")).collect()
}
