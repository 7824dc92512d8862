//! What a header declares according to libclang, independently of the generator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clang::token::TokenKind;
use clang::{Clang, Entity, EntityKind, Index, Unsaved, Visibility};
use regex::Regex;

use crate::corpus::Entry;
use crate::sources::Source;

/// The names that a header declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Functions.
    pub functions: BTreeSet<String>,
    /// Named structs, unions, enums and typedefs.
    pub types: BTreeSet<String>,
    /// Those types that have members of their own, and therefore a layout.
    pub laid_out: BTreeSet<String>,
    /// Variables.
    pub globals: BTreeSet<String>,
    /// Macros.
    pub macros: BTreeMap<String, Macro>,
    /// The files that contain all these declarations.
    pub files: BTreeSet<PathBuf>,
}

/// What a macro expands to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Macro {
    /// It takes arguments.
    FunctionLike,
    /// It is undefined again in the same file.
    Undefined,
    /// It is empty.
    Empty,
    /// One other name.
    Name,
    /// One number, character or string.
    Literal,
    /// An expression.
    Expression,
}

/// Lists what an entry's own files declare.
///
/// # Errors
/// If libclang is missing or cannot read the header.
pub fn count(clang: &Clang, entry: &Entry, source: &Source) -> Result<Census> {
    let files = Regex::new(&format!("(?:{})$", entry.files))?;
    let index = Index::new(clang, false, false);
    let lines: String =
        entry.headers.iter().map(|header| format!("#include \"{header}\"\n")).collect();
    let mut arguments = vec!["--target=x86_64-unknown-linux-gnu".to_owned()];
    arguments.extend(source.includes.iter().map(|directory| format!("-I{}", directory.display())));
    arguments.extend(entry.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    let parsed = index
        .parser("census.h")
        .arguments(&arguments)
        .unsaved(&[Unsaved::new("census.h", lines)])
        .detailed_preprocessing_record(true)
        .parse()
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("libclang cannot read {}", entry.name))?;
    let mut census = Census::default();
    for entity in parsed.get_entity().get_children() {
        let file = file_of(&entity).filter(|file| files.is_match(&file.to_string_lossy()));
        if let Some(file) = file {
            census.add(&entity, &file);
            census.files.insert(file);
        }
    }
    Ok(census)
}

/// Returns the file in which something is declared, or that has the macro which declares it.
fn file_of(entity: &Entity<'_>) -> Option<PathBuf> {
    Some(entity.get_location()?.get_file_location().file?.get_path())
}

impl Census {
    fn add(&mut self, entity: &Entity<'_>, file: &Path) {
        let Some(name) = entity.get_name().filter(|name| is_word(name)) else { return };
        match entity.get_kind() {
            // It is `static` in a source file, so nothing else can call it.
            EntityKind::FunctionDecl if entity.get_visibility() == Some(Visibility::Hidden) => {}
            EntityKind::FunctionDecl => {
                self.functions.insert(name);
            }
            EntityKind::VarDecl => {
                self.globals.insert(name);
            }
            EntityKind::TypedefDecl => {
                self.types.insert(name);
            }
            EntityKind::StructDecl | EntityKind::UnionDecl | EntityKind::EnumDecl => {
                if entity.is_definition() && !entity.get_children().is_empty() {
                    self.laid_out.insert(name.clone());
                }
                self.types.insert(name);
            }
            EntityKind::MacroDefinition if !entity.is_builtin_macro() => {
                let kind =
                    if is_undefined(&name, file) { Macro::Undefined } else { kind_of(entity) };
                self.macros.insert(name, kind);
            }
            _ => {}
        }
    }
}

/// Newer versions of libclang return a description as the name of an unnamed type.
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns true if the file's last directive about a macro undefines it.
fn is_undefined(name: &str, file: &Path) -> bool {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
    let mut words = lines.map(str::split_whitespace).filter_map(|mut words| {
        let directive = words.next()?;
        let is_about = words.next()?.split('(').next() == Some(name);
        (is_about && matches!(directive, "define" | "undef")).then_some(directive)
    });
    words.next_back() == Some("undef")
}

/// Returns true for what only looks like a literal to the preprocessor, such as `2.1.5`.
fn is_version(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit()) && token.matches('.').count() > 1
}

fn kind_of(definition: &Entity<'_>) -> Macro {
    if definition.is_function_like_macro() {
        return Macro::FunctionLike;
    }
    let tokens = definition.get_range().map(|range| range.tokenize()).unwrap_or_default();
    match tokens.get(1..).unwrap_or_default() {
        [] => Macro::Empty,
        [token] if matches!(token.get_kind(), TokenKind::Identifier | TokenKind::Keyword) => {
            Macro::Name
        }
        [token] if token.get_kind() == TokenKind::Literal && !is_version(&token.get_spelling()) => {
            Macro::Literal
        }
        _ => Macro::Expression,
    }
}

#[cfg(test)]
mod tests {
    use clang::Clang;

    use super::count;
    use crate::corpus::{Entry, Origin};
    use crate::sources::Source;

    #[test]
    fn what_a_library_hides_is_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let header = "__attribute__((visibility(\"hidden\"))) int hidden(void);\nint seen(void);\n";
        std::fs::write(directory.path().join("one.h"), header).unwrap();
        let entry = Entry {
            name: "one.h",
            headers: &["one.h"],
            origin: Origin::Libc,
            files: "/one.h",
            defines: &[],
            everyday: true,
        };
        let includes = vec![directory.path().to_owned()];
        let source = Source { includes, name: String::new(), version: String::new() };
        let census = count(&Clang::new().unwrap(), &entry, &source).unwrap();
        assert_eq!(census.functions.into_iter().collect::<Vec<_>>(), ["seen"]);
    }
}
