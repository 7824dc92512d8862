//! What clang knows and bindgen does not report: types that have no Rust counterpart, and
//! functions' annotations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use clang::{Clang, Entity, EntityKind, Index, Nullability, Type, TypeKind, Unsaved, Visibility};

use crate::error::{Error, Result};
use crate::identifiers::{Identifiers, name_of};
use crate::macros::{self, Selection};

/// Everything that the headers declare, as clang sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) functions: BTreeMap<String, Declared>,
    /// Types that bindgen's Rust does not tell: of typedefs, and of global variables.
    pub(crate) typedefs: BTreeMap<String, Exact>,
    pub(crate) globals: BTreeMap<String, Exact>,
    /// The same of fields, by their structs' and unions' names.
    pub(crate) records: BTreeMap<String, BTreeMap<String, Exact>>,
    pub(crate) identifiers: Identifiers,
    /// Enums of which each value is a bit, or several of them.
    pub(crate) flags: Vec<String>,
    /// Macros that are constants.
    pub(crate) constants: Vec<macros::Constant>,
}

/// Which declarations are to be bound.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) macros: Selection,
    pub(crate) functions: Selection,
}

/// A function as clang sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Where it is declared, if it is to be bound.
    pub(crate) wanted: Option<String>,
    /// Not visible outside the library.
    pub(crate) hidden: bool,
    pub(crate) parameters: Vec<DeclaredParameter>,
    pub(crate) result: Exact,
    /// The result must not be ignored: `warn_unused_result` or `nodiscard`.
    pub(crate) must_use: bool,
    /// The result is fresh memory, which the caller frees: `malloc`.
    pub(crate) fresh: bool,
}

/// A parameter as clang sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredParameter {
    pub(crate) ty: Exact,
    pub(crate) null: Null,
    pub(crate) counted: Option<Counted>,
}

/// Whether a pointer can be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Null {
    /// The header does not say.
    #[default]
    Unknown,
    /// `_Nonnull`, or the attribute `nonnull`.
    Never,
    /// `_Nullable`, or `counted_by_or_null`.
    Allowed,
}

/// How long what a pointer points to is: `counted_by(n)` or `sized_by(n)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The annotation's argument.
    pub(crate) by: String,
    pub(crate) unit: Unit,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Elements,
    Bytes,
}

/// A type, as far as bindgen's Rust does not express it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Exact {
    /// bindgen's Rust does.
    #[default]
    Told,
    Pointer(Box<Self>),
    Array(Box<Self>),
    Function {
        parameters: Vec<Self>,
        result: Box<Self>,
    },
    Number(Wide),
    /// Nothing that Rust has, although bindgen makes something of it.
    Unknown(String),
}

/// A number for which bindgen's Rust has no type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wide {
    Int128,
    UnsignedInt128,
    /// A number that only C can calculate with, named as Rust names it here.
    Opaque {
        name: &'static str,
        c: &'static str,
        size: u64,
        align: u64,
    },
}

/// libclang permits one user at a time, and so does this crate.
static CLANG: Mutex<()> = Mutex::new(());

/// Macros that keep annotations on parameters, which clang itself does not know there,
/// in the tree.
const ANNOTATIONS: [(&str, Unit, Null); 4] = [
    ("counted_by", Unit::Elements, Null::Unknown),
    ("sized_by", Unit::Bytes, Null::Unknown),
    ("counted_by_or_null", Unit::Elements, Null::Allowed),
    ("sized_by_or_null", Unit::Bytes, Null::Allowed),
];

/// Reads what the headers declare, and the macros that are wanted. `lines` includes them.
///
/// libclang stays loaded in this thread, for bindgen: finding it means searching the directories of
/// all libraries.
pub(crate) fn read(lines: &str, arguments: &[String], wanted: &Wanted) -> Result<Declarations> {
    let _guard = CLANG.lock().unwrap_or_else(PoisonError::into_inner);
    let clang = Clang::new().map_err(|message| Error::LibclangMissing { message })?;
    let library = clang_sys::get_library();
    let declarations = read_with(&clang, lines, arguments, wanted);
    drop(clang);
    clang_sys::set_library(library);
    declarations
}

fn read_with(
    clang: &Clang,
    lines: &str,
    arguments: &[String],
    wanted: &Wanted,
) -> Result<Declarations> {
    let index = Index::new(clang, false, false);
    let mut all = arguments.to_vec();
    all.extend(keeping());
    let parsed = index
        .parser("omniglot_headers.h")
        .arguments(&all)
        .unsaved(&[Unsaved::new("omniglot_headers.h", lines)])
        .skip_function_bodies(true)
        .include_attributed_types(true)
        .detailed_preprocessing_record(true)
        .parse()
        .map_err(|error| Error::Parser { message: format!("{error}") })?;
    let mut declarations = Declarations::default();
    for entity in parsed.get_entity().get_children() {
        declarations.identifiers.add(&entity);
        add(&entity, wanted, &mut declarations);
    }
    declarations.constants = macros::evaluate(&index, &parsed, lines, &all, &wanted.macros)?;
    Ok(declarations)
}

/// Definitions under which annotations of parameters stay in what clang has read.
fn keeping() -> impl Iterator<Item = String> {
    ANNOTATIONS.iter().flat_map(|(name, ..)| {
        let kept = format!("annotate(\"omniglot:{name}:\" #N)");
        [format!("-D{name}(N)={kept}"), format!("-D__{name}(N)=__attribute__(({kept}))")]
    })
}

/// Definitions without which clang, which knows them for fields only, rejects annotations
/// of parameters.
pub(crate) fn ignoring() -> impl Iterator<Item = String> {
    ANNOTATIONS.iter().flat_map(|(name, ..)| [format!("-D{name}(N)="), format!("-D__{name}(N)=")])
}

fn add(entity: &Entity<'_>, wanted: &Wanted, all: &mut Declarations) {
    match entity.get_kind() {
        EntityKind::FunctionDecl => add_function(entity, wanted, &mut all.functions),
        EntityKind::EnumDecl => {
            all.flags.extend(name_of(entity).filter(|name| is_flags(entity, name)));
        }
        EntityKind::TypedefDecl => add_typedef(entity, all),
        EntityKind::VarDecl => add_exact(entity, entity.get_type(), &mut all.globals),
        EntityKind::StructDecl | EntityKind::UnionDecl => {
            if let Some(name) = name_of(entity) {
                add_record(entity, &name, &mut all.records);
            }
        }
        // `extern "C" { … }`
        EntityKind::LinkageSpec | EntityKind::UnexposedDecl => {
            entity.get_children().iter().for_each(|child| add(child, wanted, all));
        }
        _ => {}
    }
}

fn add_function(entity: &Entity<'_>, wanted: &Wanted, functions: &mut BTreeMap<String, Declared>) {
    let (Some(name), Some(mut declared)) = (entity.get_name(), function(entity)) else { return };
    if wanted.functions.wants(&name, entity) {
        declared.wanted = Some(place(entity));
    }
    match functions.get_mut(&name) {
        Some(known) => merge(known, declared),
        None => drop(functions.insert(name, declared)),
    }
}

/// `FILE:LINE`
fn place(entity: &Entity<'_>) -> String {
    let place = entity.get_location().map(|location| location.get_file_location());
    let file = place.as_ref().and_then(|place| place.file);
    let path = file.map(|file| file.get_path().display().to_string()).unwrap_or_default();
    format!("{path}:{}", place.map_or(0, |place| place.line))
}

/// Whether an enum of this name is meant as flags: its values [could be](are_flags), and it is
/// written as flags are. Values alone are no evidence: 1, 2 and 4 may be three colours, and any
/// other number must then be an error.
fn is_flags(entity: &Entity<'_>, name: &str) -> bool {
    let children = entity.get_children().into_iter();
    let constants: Vec<Entity<'_>> =
        children.filter(|child| child.get_kind() == EntityKind::EnumConstantDecl).collect();
    let values: Option<BTreeSet<u64>> = constants
        .iter()
        .map(|constant| {
            let (signed, unsigned) = constant.get_enum_constant_value()?;
            (signed >= 0 || unsigned <= u32::MAX.into()).then_some(unsigned)
        })
        .collect();
    let Some(values) = values.filter(are_flags) else { return false };
    let mut names = constants.iter().filter_map(Entity::get_name).chain([name.to_owned()]);
    let has_union = values.iter().any(|value| *value != 0 && !value.is_power_of_two());
    has_union
        || values.len() >= MANY_FLAGS
        || names.any(|name| is_name_of_flags(&name))
        || constants.iter().any(is_written_in_bits)
}

/// That many values, each a bit of its own, are not a plain list.
const MANY_FLAGS: usize = 6;

/// Whether a name says that what it names are flags.
fn is_name_of_flags(name: &str) -> bool {
    let name = name.to_lowercase();
    ["flag", "mask", "bits", "option"].iter().any(|word| name.contains(word))
}

/// Whether a constant's value is written as a shift, a union, or a hexadecimal number.
fn is_written_in_bits(constant: &Entity<'_>) -> bool {
    let tokens = constant.get_range().map(|range| range.tokenize()).unwrap_or_default();
    tokens.iter().any(|token| {
        let text = token.get_spelling();
        text == "<<" || text == "|" || text.starts_with("0x") || text.starts_with("0X")
    })
}

/// Whether values can be flags: at least three are a bit of their own, the others are made of
/// these bits, and they are no mere numbering.
fn are_flags(values: &BTreeSet<u64>) -> bool {
    let (bits, more): (Vec<u64>, Vec<u64>) =
        values.iter().filter(|value| **value != 0).partition(|value| value.is_power_of_two());
    let all = bits.iter().fold(0, |all, bit| all | bit);
    let most = values.last().copied().unwrap_or(0);
    let is_numbering = (1..=most).take(values.len()).all(|value| values.contains(&value));
    bits.len() >= 3
        && !is_numbering
        && more.len() * 2 <= bits.len()
        && more.iter().all(|value| value & !all == 0)
}

/// A struct without a tag has the typedef's name.
fn add_typedef(entity: &Entity<'_>, all: &mut Declarations) {
    let underlying = entity.get_typedef_underlying_type();
    add_exact(entity, underlying, &mut all.typedefs);
    let record = underlying.and_then(|ty| ty.get_canonical_type().get_declaration());
    let is_enum = |ty: &Entity<'_>| ty.get_kind() == EntityKind::EnumDecl && name_of(ty).is_none();
    if let Some(untagged) = record.filter(is_enum) {
        all.flags.extend(entity.get_name().filter(|name| is_flags(&untagged, name)));
    }
    let is_record = |entity: &Entity<'_>| {
        matches!(entity.get_kind(), EntityKind::StructDecl | EntityKind::UnionDecl)
    };
    if let (Some(record), Some(name)) = (record.filter(is_record), entity.get_name()) {
        add_record(&record, &name, &mut all.records);
    }
}

fn add_exact(entity: &Entity<'_>, ty: Option<Type<'_>>, to: &mut BTreeMap<String, Exact>) {
    let exact = ty.map(exact).filter(|exact| *exact != Exact::Told);
    if let (Some(name), Some(exact)) = (entity.get_name(), exact) {
        to.insert(name, exact);
    }
}

/// The fields of a struct or union, and of those with a tag within it, whose Rust names
/// begin with its own.
fn add_record(
    entity: &Entity<'_>,
    name: &str,
    records: &mut BTreeMap<String, BTreeMap<String, Exact>>,
) {
    let mut fields = BTreeMap::new();
    for child in entity.get_children() {
        match (child.get_kind(), name_of(&child)) {
            (EntityKind::FieldDecl, _) => add_exact(&child, child.get_type(), &mut fields),
            (EntityKind::StructDecl | EntityKind::UnionDecl, Some(inner)) => {
                add_record(&child, &format!("{name}_{inner}"), records);
            }
            _ => {}
        }
    }
    if !fields.is_empty() {
        records.insert(name.to_owned(), fields);
    }
}

/// What one declaration says holds for the function.
fn merge(known: &mut Declared, again: Declared) {
    known.must_use |= again.must_use;
    known.fresh |= again.fresh;
    known.hidden |= again.hidden;
    known.wanted = known.wanted.take().or(again.wanted);
    for (known, again) in known.parameters.iter_mut().zip(again.parameters) {
        if known.null == Null::Unknown {
            known.null = again.null;
        }
        known.counted = known.counted.take().or(again.counted);
    }
}

fn function(entity: &Entity<'_>) -> Option<Declared> {
    let arguments = entity.get_arguments().unwrap_or_default();
    let mut declared = Declared {
        parameters: arguments.iter().map(parameter).collect(),
        result: exact(entity.get_result_type()?),
        hidden: entity.get_visibility() == Some(Visibility::Hidden),
        ..Declared::default()
    };
    // Attributes of the compiler's own that libclang has no names for are in its text.
    if entity.has_attributes() {
        let text = entity.get_pretty_printer().print();
        declared.must_use = ["warn_unused_result", "nodiscard"].iter().any(|word| has(&text, word));
        declared.fresh = has(&text, "malloc");
        let after = entity.get_name().and_then(|name| attributes(&text, &name));
        never_null(after.unwrap_or_default(), &mut declared.parameters);
    }
    Some(declared)
}

/// Whether the text has an attribute without arguments, or with any.
fn has(text: &str, attribute: &str) -> bool {
    text.split("__attribute__((").skip(1).any(|rest| {
        let end =
            rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        rest.get(..end.unwrap_or(rest.len()))
            .is_some_and(|word| word.trim_matches('_') == attribute)
    }) || text.contains(&format!("[[{attribute}"))
}

/// The part of a declaration behind its parameters.
fn attributes<'a>(declaration: &'a str, name: &str) -> Option<&'a str> {
    let (_, parameters) = declaration.split_once(&format!("{name}("))?;
    let mut depth = 1;
    let end = parameters.find(|character| {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    parameters.get(end..)
}

/// `nonnull` is about all pointers, or those whose numbers it lists.
fn never_null(text: &str, parameters: &mut [DeclaredParameter]) {
    for rest in text.split("nonnull").skip(1) {
        let listed = rest.strip_prefix('(').and_then(|rest| Some(rest.split_once(')')?.0));
        let numbers: Vec<usize> = listed
            .iter()
            .flat_map(|list| list.split(','))
            .filter_map(|number| number.trim().parse().ok())
            .collect();
        for (number, parameter) in (1..).zip(parameters.iter_mut()) {
            if listed.is_none() || numbers.contains(&number) {
                parameter.null = Null::Never;
            }
        }
    }
}

fn parameter(entity: &Entity<'_>) -> DeclaredParameter {
    let Some(ty) = entity.get_type() else { return DeclaredParameter::default() };
    let mut null = match ty.get_nullability() {
        Some(Nullability::NonNull) => Null::Never,
        Some(Nullability::Nullable) => Null::Allowed,
        _ => Null::Unknown,
    };
    if entity.has_attributes() && has(&entity.get_pretty_printer().print(), "nonnull") {
        null = Null::Never;
    }
    let texts = entity
        .get_children()
        .into_iter()
        .filter(|child| child.get_kind() == EntityKind::AnnotateAttr);
    let mut counted = None;
    for text in texts.filter_map(|annotation| annotation.get_display_name()) {
        let Some((name, by)) = text.strip_prefix("omniglot:").and_then(|text| text.split_once(':'))
        else {
            continue;
        };
        let Some((_, unit, nullness)) = ANNOTATIONS.iter().find(|(known, ..)| *known == name)
        else {
            continue;
        };
        counted = Some(Counted { by: by.trim().to_owned(), unit: *unit });
        null = if *nullness == Null::Allowed { Null::Allowed } else { null };
    }
    DeclaredParameter { ty: exact(ty), null, counted }
}

fn exact(ty: Type<'_>) -> Exact {
    let ty = ty.get_canonical_type();
    if let Some(wide) = wide(ty) {
        return Exact::Number(wide);
    }
    let name = ty.get_display_name();
    if name.contains("_BitInt(") && ty.get_kind() == TypeKind::Unexposed {
        return Exact::Unknown(name);
    }
    match ty.get_kind() {
        TypeKind::FunctionPrototype => exact_function(ty),
        TypeKind::ConstantArray | TypeKind::IncompleteArray => {
            within(ty.get_element_type(), Exact::Array)
        }
        _ => within(ty.get_pointee_type(), Exact::Pointer),
    }
}

/// The type around another, if there is something to tell of that.
fn within(ty: Option<Type<'_>>, around: impl FnOnce(Box<Exact>) -> Exact) -> Exact {
    match ty.map(exact) {
        None | Some(Exact::Told) => Exact::Told,
        Some(inner) => around(Box::new(inner)),
    }
}

fn exact_function(ty: Type<'_>) -> Exact {
    let parameters: Vec<Exact> =
        ty.get_argument_types().unwrap_or_default().into_iter().map(exact).collect();
    let result = ty.get_result_type().map(exact).unwrap_or_default();
    if result == Exact::Told && parameters.iter().all(|parameter| *parameter == Exact::Told) {
        return Exact::Told;
    }
    Exact::Function { parameters, result: Box::new(result) }
}

fn wide(ty: Type<'_>) -> Option<Wide> {
    let opaque = |name, c| {
        let size = u64::try_from(ty.get_sizeof().ok()?).ok()?;
        let align = u64::try_from(ty.get_alignof().ok()?).ok()?;
        Some(Wide::Opaque { name, c, size, align })
    };
    match ty.get_kind() {
        TypeKind::Int128 => Some(Wide::Int128),
        TypeKind::UInt128 => Some(Wide::UnsignedInt128),
        TypeKind::LongDouble => opaque("c_long_double", "long double"),
        TypeKind::Float128 => opaque("c_float128", "__float128"),
        TypeKind::Float16 | TypeKind::Half => opaque("c_float16", "_Float16"),
        // Complex numbers, of which libclang only knows the name.
        TypeKind::Complex | TypeKind::Unexposed => {
            match ty.get_display_name().trim_start_matches("const ") {
                "_Complex float" => opaque("c_complex_float", "float _Complex"),
                "_Complex double" => opaque("c_complex_double", "double _Complex"),
                "_Complex long double" => opaque("c_complex_long_double", "long double _Complex"),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::are_flags;

    #[test]
    fn flags_are_told_from_numberings() {
        let are_flags = |values: &[u64]| are_flags(&values.iter().copied().collect());
        assert!(are_flags(&[1, 2, 4]));
        assert!(are_flags(&[0, 1, 2, 4, 8, 12]));
        assert!(are_flags(&[0x10, 0x20, 0x40, 0x70]));
        assert!(!are_flags(&[0, 1, 2]));
        assert!(!are_flags(&[1, 2, 3, 4]));
        assert!(!are_flags(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(!are_flags(&[1, 2, 4, 100]));
        assert!(!are_flags(&[1, 2]));
        assert!(!are_flags(&[]));
    }
}
