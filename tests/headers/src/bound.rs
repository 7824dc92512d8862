//! The generator's output for a header.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use omniglot_build::{Library, Preview};
use syn::{ImplItem, Item, UseTree};

use crate::constants::{self, Constants};
use crate::corpus::Entry;
use crate::processor;
use crate::sources::Source;

/// The code that was generated for a header.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// The functions, by their C names.
    pub functions: BTreeSet<String>,
    /// The types in the Rust module.
    pub types: BTreeSet<String>,
    /// The constants in the Rust module.
    pub constants: BTreeSet<String>,
    /// The values of those constants that C can print.
    pub values: Constants,
    /// The globals that have an address.
    pub globals: BTreeSet<String>,
    /// The generator's message about each item that is not bound.
    pub problems: BTreeMap<String, String>,
    /// The Rust module.
    pub rust: String,
    /// The C shims.
    pub c: String,
    /// Processor time that generating took, in seconds.
    pub seconds: f64,
}

/// Generates code for an entry as a build script without further options would.
///
/// # Errors
/// If generation fails.
pub fn generate(entry: &Entry, source: &Source) -> Result<Bound> {
    let library = Library::new("corpus").callback_slots(1);
    let library = entry.headers.iter().fold(library, |library, header| library.header(*header));
    let library = source.includes.iter().fold(library, Library::include);
    let define = |library: Library, (name, value): &(&str, &str)| library.define(*name, *value);
    let library = entry.defines.iter().fold(library, define);
    let scratch = tempfile::tempdir()?;
    let before = processor::seconds();
    let preview = library.preview_compiled(scratch.path());
    let preview = preview.with_context(|| format!("no bindings of {}", entry.name))?;
    let seconds = processor::seconds() - before;
    Ok(Bound { seconds, ..Bound::read(preview)? })
}

impl Bound {
    fn read(preview: Preview) -> Result<Self> {
        let mut bound = Self { rust: preview.rust, c: preview.c, ..Self::default() };
        bound.functions.extend(preview.functions);
        for problem in preview.problems {
            bound.problems.entry(problem.item).or_insert(problem.reason);
        }
        let file = syn::parse_file(&bound.rust)?;
        bound.values = constants::read(&file);
        file.items.iter().for_each(|item| bound.item(item));
        Ok(bound)
    }

    fn item(&mut self, item: &Item) {
        let types = match item {
            Item::Mod(module) => {
                let items = module.content.iter().flat_map(|(_, items)| items);
                items.for_each(|item| self.item(item));
                return;
            }
            Item::Impl(item) => return self.methods(&item.items),
            Item::Const(item) => {
                self.constants.insert(item.ident.to_string());
                return;
            }
            Item::Struct(item) => item.ident.to_string(),
            Item::Enum(item) => item.ident.to_string(),
            Item::Type(item) => item.ident.to_string(),
            // Another name of an enum: `pub use self::color_t as color;`
            Item::Use(item) => match renamed(&item.tree) {
                Some(name) => name,
                None => return,
            },
            _ => return,
        };
        self.types.insert(types);
    }

    fn methods(&mut self, items: &[ImplItem]) {
        for item in items {
            let ImplItem::Fn(method) = item else { continue };
            if let Some(global) = method.sig.ident.to_string().strip_prefix("address_of_") {
                self.globals.insert(global.to_owned());
            }
        }
    }

    /// Returns true if the Rust module has a type for the C name. Keywords get an underscore.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.types.contains(name) || self.types.contains(&format!("{name}_"))
    }

    /// Returns true if the C shims assert the size of a type.
    #[must_use]
    pub fn asserts(&self, name: &str) -> bool {
        let spellings = ["struct ", "union ", "enum ", ""];
        spellings
            .iter()
            .any(|keyword| self.c.contains(&format!("_Static_assert(sizeof({keyword}{name}) == ")))
    }
}

/// Returns the new name in `self::old as new`.
fn renamed(tree: &UseTree) -> Option<String> {
    match tree {
        UseTree::Path(path) => renamed(&path.tree),
        UseTree::Rename(rename) => Some(rename.rename.to_string()),
        _ => None,
    }
}
