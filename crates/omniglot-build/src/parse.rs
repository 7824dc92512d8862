//! Reads headers: runs bindgen, keeps what it found, and parses what it wrote.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use bindgen::callbacks::{
    DiscoveredItem, DiscoveredItemId, ItemInfo, ItemKind, MacroParsingBehavior, ParseCallbacks,
    SourceLocation,
};
use bindgen::{BindgenError, Builder, EnumVariation, Formatter, RustEdition, RustTarget};

use crate::declared::{self, Declarations};
use crate::options::{Options, Purpose};
use crate::scalar::Target;
use crate::{Error, Result, described, flat, names, own, paths};

/// A header as bindgen sees it.
pub(crate) struct Parsed {
    /// bindgen's Rust.
    pub(crate) file: syn::File,
    /// Structs, unions and enums that have no tag: C knows them by a typedef, or not at all.
    pub(crate) untagged: BTreeSet<String>,
    /// C names of what got another name, since generated code has that one.
    pub(crate) renamed: BTreeMap<String, String>,
    /// Tags of structs, unions and enums whose Rust name is longer, being nested.
    pub(crate) tags: BTreeMap<String, String>,
    /// Where functions are declared: `FILE:LINE`.
    pub(crate) places: BTreeMap<String, String>,
    /// The names of macros.
    pub(crate) macros: BTreeSet<String>,
    /// Every file that was included.
    pub(crate) included: BTreeSet<PathBuf>,
    /// What clang says besides.
    pub(crate) declared: Declarations,
}

/// Reads the headers for a target.
pub(crate) fn parse(options: &Options, includes: &[PathBuf], target: &Target) -> Result<Parsed> {
    let declared = declared::read(&declarations(options), &clang_args(options, includes, target))?;
    let found = Rc::new(RefCell::new(Found::default()));
    // Without `static`, bindgen takes static inline functions for ordinary ones;
    // the shims are compiled with the real header and can call them.
    let without_static = builder(options, includes, target, &found).clang_arg("-Dstatic=");
    let text = match run(options, without_static) {
        Err(Error::Header { .. }) => {
            found.replace(Found::default());
            run(options, builder(options, includes, target, &found))?
        }
        outcome => outcome?,
    };
    let text = text.replace("__bindgen_ty_", "_anonymous_");
    let file = syn::parse_file(&text)
        .map_err(|error| Error::Parser { message: format!("its Rust does not parse: {error}") })?;
    let found = found.take();
    let Found { untagged, renamed, tags, places, macros, included } = found;
    Ok(Parsed { file, untagged, renamed, tags, places, macros, included, declared })
}

/// Runs bindgen, which may panic.
fn run(options: &Options, builder: Builder) -> Result<String> {
    match catch_unwind(AssertUnwindSafe(|| builder.generate())) {
        Ok(Ok(bindings)) => Ok(bindings.to_string()),
        Ok(Err(BindgenError::ClangDiagnostic(messages))) => {
            Err(Error::Header { headers: options.headers.clone(), messages })
        }
        Ok(Err(error)) => Err(Error::Parser { message: error.to_string() }),
        Err(panic) => Err(Error::Parser { message: panic_message(panic.as_ref()) }),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

fn builder(
    options: &Options,
    includes: &[PathBuf],
    target: &Target,
    found: &Rc<RefCell<Found>>,
) -> Builder {
    let mut builder = bindgen::builder()
        // clang reads the first file last.
        .header_contents("omniglot_end.h", "")
        .header_contents("omniglot_headers.h", &include_lines(options))
        .clang_args(clang_args(options, includes, target))
        .clang_args(declared::ignoring())
        .use_core()
        .generate_cstr(true)
        .generate_inline_functions(true)
        .prepend_enum_name(false)
        .anon_fields_prefix("anonymous_")
        .default_enum_style(EnumVariation::Rust { non_exhaustive: false })
        .constified_enum("_bindgen_ty_.*")
        .formatter(Formatter::None)
        .rust_edition(RustEdition::Edition2021)
        .parse_callbacks(Box::new(Callbacks {
            found: Rc::clone(found),
            reserved: vec![options.instance(), "Api".to_owned(), "DESCRIPTION".to_owned()],
        }));
    if let Ok(version) = RustTarget::stable(80, 0) {
        builder = builder.rust_target(version);
    }
    for pattern in &options.patterns {
        builder = apply(builder, pattern.purpose, &pattern.text);
    }
    for (file, declaration) in described::files(options) {
        builder = builder.header_contents(&file, &declaration);
    }
    for pattern in described::allowed(options) {
        builder = builder.allowlist_function(pattern);
    }
    for name in &options.bool_types {
        builder = builder.allowlist_type(regex::escape(name));
    }
    if !options.has_allowlist() {
        for pattern in own::patterns(options, includes, target) {
            builder = builder.allowlist_file(pattern);
        }
    }
    builder
}

fn apply(builder: Builder, purpose: Purpose, pattern: &str) -> Builder {
    match purpose {
        Purpose::AllowFunction => builder.allowlist_function(pattern),
        Purpose::AllowType => builder.allowlist_type(pattern),
        Purpose::AllowVar => builder.allowlist_var(pattern),
        Purpose::BlockFunction => builder.blocklist_function(pattern),
        Purpose::BlockType => builder.blocklist_type(pattern),
        Purpose::NewtypeEnum => builder.newtype_enum(pattern),
        Purpose::BitfieldEnum => builder.bitfield_enum(pattern),
        Purpose::ConstifiedEnum => builder.constified_enum(pattern),
    }
}

/// The C that includes the user's headers.
pub(crate) fn include_lines(options: &Options) -> String {
    options.headers.iter().map(|header| format!("#include \"{header}\"\n")).collect()
}

/// The headers, and what the user declares in their words.
fn declarations(options: &Options) -> String {
    let described = described::files(options).map(|(_, declaration)| declaration);
    include_lines(options) + &described.collect::<String>()
}

fn clang_args(options: &Options, includes: &[PathBuf], target: &Target) -> Vec<String> {
    let mut arguments = vec![
        format!("--target={}", target.clang()),
        format!("-iquote{}", paths::package().display()),
    ];
    if target.is_bare() {
        let directories = flat::headers();
        arguments.extend(directories.iter().map(|path| format!("-isystem{}", path.display())));
    }
    arguments.extend(includes.iter().map(|directory| format!("-I{}", directory.display())));
    arguments.extend(options.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    arguments.extend(options.clang_args.iter().cloned());
    arguments
}

/// What bindgen tells only while it reads.
#[derive(Debug, Default)]
struct Found {
    untagged: BTreeSet<String>,
    renamed: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    places: BTreeMap<String, String>,
    macros: BTreeSet<String>,
    included: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Callbacks {
    found: Rc<RefCell<Found>>,
    reserved: Vec<String>,
}

impl Callbacks {
    /// Remembers where something is declared.
    fn found_at(&self, name: &str, location: Option<&SourceLocation>) {
        if let Some(SourceLocation { line, file_name: Some(file), .. }) = location {
            self.found.borrow_mut().places.insert(name.to_owned(), format!("{file}:{line}"));
        }
    }
}

impl ParseCallbacks for Callbacks {
    fn item_name(&self, item: ItemInfo<'_>) -> Option<String> {
        let taken = self.reserved.iter().any(|name| name == item.name);
        if !taken || matches!(item.kind, ItemKind::Function) {
            return None;
        }
        let new = format!("{}_", item.name);
        self.found.borrow_mut().renamed.insert(new.clone(), item.name.to_owned());
        Some(new)
    }

    fn include_file(&self, filename: &str) {
        self.found.borrow_mut().included.insert(filename.into());
    }

    fn will_parse_macro(&self, name: &str) -> MacroParsingBehavior {
        self.found.borrow_mut().macros.insert(name.to_owned());
        MacroParsingBehavior::Default
    }

    fn new_item_found(
        &self,
        _id: DiscoveredItemId,
        item: DiscoveredItem,
        location: Option<&SourceLocation>,
    ) {
        let (name, tag) = match item {
            DiscoveredItem::Struct { final_name, original_name }
            | DiscoveredItem::Union { final_name, original_name } => (final_name, original_name),
            DiscoveredItem::Enum { final_name } => (final_name, None),
            DiscoveredItem::Function { final_name } => {
                self.found_at(names::in_c(&final_name), location);
                return;
            }
            DiscoveredItem::Alias { alias_name, .. } => {
                self.found_at(names::in_c(&alias_name), location);
                return;
            }
            _ => return,
        };
        let name = name.replace("__bindgen_ty_", "_anonymous_");
        self.found_at(names::in_c(&name), location);
        let Some(word) = location.and_then(word_at) else { return };
        let mut found = self.found.borrow_mut();
        if matches!(word.as_str(), "struct" | "union" | "enum") {
            found.untagged.insert(name);
        } else if let Some(tag) = tag {
            found.tags.insert(name, tag);
        } else if name.ends_with(&format!("_{word}")) {
            found.tags.insert(name, word);
        }
    }
}

/// The word in the source there: clang locates a definition at its tag, or at the
/// keyword when there is none.
fn word_at(location: &SourceLocation) -> Option<String> {
    let source = std::fs::read(location.file_name.as_ref()?).ok()?;
    let text = source.get(location.byte_offset..)?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.iter().position(|byte| !is_word(byte)).unwrap_or(text.len());
    String::from_utf8(text.get(..length)?.to_vec()).ok()
}
