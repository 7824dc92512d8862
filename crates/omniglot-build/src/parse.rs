//! Reads headers: runs bindgen, keeps what it found, and parses its output.

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
use regex::{Regex, RegexSet};

use crate::declared::{self, Declarations, Wanted};
use crate::error::{Error, Result};
use crate::macros::Selection;
use crate::options::{Options, Purpose, whole_name};
use crate::scalar::Target;
use crate::{described, flat, names, own, paths, sysroot};

/// A header as bindgen sees it.
pub(crate) struct Parsed {
    /// bindgen's Rust.
    pub(crate) file: syn::File,
    /// C names of what got another name, since generated code has that one.
    pub(crate) renamed: BTreeMap<String, String>,
    /// Where functions are declared: `FILE:LINE`.
    pub(crate) places: BTreeMap<String, String>,
    /// The names of macros.
    pub(crate) macros: BTreeSet<String>,
    /// Every file that was included.
    pub(crate) included: BTreeSet<PathBuf>,
    /// What clang adds.
    pub(crate) declared: Declarations,
}

/// Reads the headers for a target.
pub(crate) fn parse(options: &Options, includes: &[PathBuf], target: &Target) -> Result<Parsed> {
    let own = own_files(options, includes, target);
    let arguments = clang_args(options, includes, target);
    let wanted = Wanted {
        macros: selection(options, &own, Purpose::AllowVar)?,
        functions: selection(options, &own, Purpose::AllowFunction)?,
    };
    let declared = declared::read(&declarations(options), &arguments, &wanted)?;
    let flags = flags(options, &declared)?;
    let reading = Reading { own, arguments, flags };
    let found = Rc::new(RefCell::new(Found::default()));
    // Without `static`, bindgen takes static inline functions for ordinary ones;
    // the shims are compiled with the real header and can call them.
    let without_static = builder(options, &reading, &found).clang_arg("-Dstatic=");
    let text = match run(options, without_static) {
        Err(Error::Header { .. }) => {
            found.replace(Found::default());
            run(options, builder(options, &reading, &found))?
        }
        outcome => outcome?,
    };
    let text = text.replace("__bindgen_ty_", "_anonymous_");
    let file = syn::parse_file(&text)
        .map_err(|error| Error::Parser { message: format!("its Rust does not parse: {error}") })?;
    let found = found.take();
    let Found { renamed, places, macros, included } = found;
    let in_c = |(name, place): (String, _)| (declared.identifiers.in_c(&name).to_owned(), place);
    let places = places.into_iter().map(in_c).collect();
    Ok(Parsed { file, renamed, places, macros, included, declared })
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

fn builder(options: &Options, reading: &Reading, found: &Rc<RefCell<Found>>) -> Builder {
    let mut builder = bindgen::builder()
        // clang reads the first file last.
        .header_contents("omniglot_end.h", "")
        .header_contents("omniglot_headers.h", &include_lines(options))
        // libclang knows its own headers; those of another clang that is installed do not fit.
        .detect_include_paths(false)
        .clang_args(&reading.arguments)
        .clang_args(COMMENTS)
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
            reserved: names::module_names(&options.instance()),
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
    let builder = reading.own.iter().fold(builder, Builder::allowlist_file);
    reading.flags.iter().fold(builder, |builder, name| builder.bitfield_enum(regex::escape(name)))
}

/// How bindgen is to read the headers.
struct Reading {
    /// Patterns for the files whose declarations are bound, if there is no allowlist.
    own: Vec<String>,
    arguments: Vec<String>,
    /// Enums that are flags, by their names.
    flags: Vec<String>,
}

/// Keeps the comments of headers in the system's directories, where installed libraries have
/// theirs.
const COMMENTS: [&str; 1] = ["-fretain-comments-from-system-headers"];

/// The enums that are flags, unless the user chose their type.
fn flags(options: &Options, declared: &Declarations) -> Result<Vec<String>> {
    let styles = options.patterns.iter().filter(|pattern| pattern.purpose.is_style());
    let styles: Result<Vec<Regex>> =
        styles.map(|pattern| whole_name(pattern.purpose.method(), &pattern.text)).collect();
    let styles = styles?;
    let is_open = |name: &&String| !styles.iter().any(|style| style.is_match(name));
    Ok(declared.flags.iter().filter(is_open).cloned().collect())
}

/// Patterns for the files whose declarations are bound, if there is no allowlist.
fn own_files(options: &Options, includes: &[PathBuf], target: &Target) -> Vec<String> {
    if options.has_allowlist() {
        return Vec::new();
    }
    own::patterns(options, includes, target)
}

/// Which macros, or functions, are bound.
fn selection(options: &Options, own: &[String], purpose: Purpose) -> Result<Selection> {
    let method = purpose.method();
    if options.has_allowlist() {
        let patterns = options.patterns(purpose);
        let patterns: Result<_> = patterns.map(|pattern| whole_name(method, pattern)).collect();
        return patterns.map(Selection::Names);
    }
    let patterns = own.iter().map(|pattern| format!("^(?:{pattern})$"));
    RegexSet::new(patterns)
        .map(Selection::Files)
        .map_err(|error| Error::Parser { message: error.to_string() })
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
        Purpose::PlainEnum => builder,
    }
}

/// The C that includes the user's headers.
pub(crate) fn include_lines(options: &Options) -> String {
    options.headers.iter().map(|header| format!("#include \"{header}\"\n")).collect()
}

/// The headers, and the user's declarations in terms of them.
fn declarations(options: &Options) -> String {
    let described = described::files(options).map(|(_, declaration)| declaration);
    include_lines(options) + &described.collect::<String>()
}

fn clang_args(options: &Options, includes: &[PathBuf], target: &Target) -> Vec<String> {
    let mut arguments = vec![
        format!("--target={}", target.clang()),
        format!("-iquote{}", paths::package().display()),
    ];
    if let Some(sysroot) = sysroot::of(target).filter(|_| target.is_compiled()) {
        arguments.push(format!("--sysroot={}", sysroot.display()));
    }
    if target.is_bare() {
        let directories = flat::headers();
        arguments.extend(directories.iter().map(|path| format!("-isystem{}", path.display())));
    }
    arguments.extend(includes.iter().map(|directory| format!("-I{}", directory.display())));
    arguments.extend(options.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    arguments.extend(options.clang_args.iter().cloned());
    arguments
}

/// What bindgen reports only while it reads.
#[derive(Debug, Default)]
struct Found {
    renamed: BTreeMap<String, String>,
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
        // They are evaluated as C evaluates them.
        MacroParsingBehavior::Ignore
    }

    fn new_item_found(
        &self,
        _id: DiscoveredItemId,
        item: DiscoveredItem,
        location: Option<&SourceLocation>,
    ) {
        let name = match item {
            DiscoveredItem::Struct { final_name, .. }
            | DiscoveredItem::Union { final_name, .. }
            | DiscoveredItem::Enum { final_name }
            | DiscoveredItem::Function { final_name } => final_name,
            DiscoveredItem::Alias { alias_name, .. } => alias_name,
            _ => return,
        };
        self.found_at(&name.replace("__bindgen_ty_", "_anonymous_"), location);
    }
}
