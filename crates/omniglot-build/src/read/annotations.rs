//! What a header's annotations say about functions.

use std::collections::BTreeMap;

use clang::{Entity, EntityKind, Nullability};

use crate::annotated::{Annotated, Counted, LengthUnit, Null, ParameterAnnotations};

/// Macros that keep annotations on parameters, which clang itself does not know there,
/// in the tree.
const ANNOTATIONS: [(&str, LengthUnit, Null); 4] = [
    ("counted_by", LengthUnit::Elements, Null::Unknown),
    ("sized_by", LengthUnit::Bytes, Null::Unknown),
    ("counted_by_or_null", LengthUnit::Elements, Null::Allowed),
    ("sized_by_or_null", LengthUnit::Bytes, Null::Allowed),
];

/// Definitions under which annotations of parameters stay in what clang has read.
pub(super) fn keeping() -> impl Iterator<Item = String> {
    ANNOTATIONS.iter().flat_map(|(name, ..)| {
        let kept = format!("annotate(\"omniglot:{name}:\" #N)");
        [format!("-D{name}(N)={kept}"), format!("-D__{name}(N)=__attribute__(({kept}))")]
    })
}

/// Definitions without which clang, which knows them for fields only, rejects annotations
/// of parameters.
pub(super) fn ignoring() -> impl Iterator<Item = String> {
    ANNOTATIONS.iter().flat_map(|(name, ..)| [format!("-D{name}(N)="), format!("-D__{name}(N)=")])
}

/// Adds what one declaration of a function says.
pub(super) fn add(entity: &Entity<'_>, functions: &mut BTreeMap<String, Annotated>) {
    let Some(name) = entity.get_name() else { return };
    let annotated = function(entity);
    match functions.get_mut(&name) {
        Some(known) => merge(known, annotated),
        None => drop(functions.insert(name, annotated)),
    }
}

/// What one declaration says holds for the function.
fn merge(known: &mut Annotated, again: Annotated) {
    known.must_use |= again.must_use;
    known.fresh |= again.fresh;
    for (known, again) in known.parameters.iter_mut().zip(again.parameters) {
        if known.null == Null::Unknown {
            known.null = again.null;
        }
        known.counted = known.counted.take().or(again.counted);
    }
}

fn function(entity: &Entity<'_>) -> Annotated {
    let arguments = entity.get_arguments().unwrap_or_default();
    let mut annotated =
        Annotated { parameters: arguments.iter().map(parameter).collect(), ..Annotated::default() };
    // Attributes of the compiler's own that libclang has no names for are in its text.
    if entity.has_attributes() {
        let text = entity.get_pretty_printer().print();
        annotated.must_use =
            ["warn_unused_result", "nodiscard"].iter().any(|word| has(&text, word));
        annotated.fresh = has(&text, "malloc");
        let after = entity.get_name().and_then(|name| attributes(&text, &name));
        never_null(after.unwrap_or_default(), &mut annotated.parameters);
    }
    annotated
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
fn never_null(text: &str, parameters: &mut [ParameterAnnotations]) {
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

fn parameter(entity: &Entity<'_>) -> ParameterAnnotations {
    let Some(ty) = entity.get_type() else { return ParameterAnnotations::default() };
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
    ParameterAnnotations { null, counted }
}
