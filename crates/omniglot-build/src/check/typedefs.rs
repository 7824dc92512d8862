//! Types have the names that C programs use: those of their typedefs, such as `cairo_surface_t`,
//! whose tag `_cairo_surface` is an alias, or else of their tags.

use std::collections::BTreeMap;

use super::walk::each_type_mut;
use crate::model::{Alias, Definition, Model, Record, Shape, Type};

/// Gives each struct, union and enum with a tag the name of its first typedef.
pub(super) fn prefer(model: &mut Model) {
    let mut names = BTreeMap::new();
    for (typedef, definition) in model.types.iter() {
        let Definition::Alias(Alias { target: Type::Named(tag), .. }) = definition else {
            continue;
        };
        if is_tagged(model.types.get(tag)) {
            names.entry(tag.clone()).or_insert_with(|| typedef.to_owned());
        }
    }
    each_type_mut(model, &mut |ty| rename(ty, &names));
    for (tag, typedef) in &names {
        model.types.exchange(tag, typedef);
    }
}

/// Whether it is a type that C spells with a keyword.
fn is_tagged(definition: Option<&Definition>) -> bool {
    let is_newtype = |definition: &&Definition| {
        matches!(definition, Definition::Record(Record { shape: Shape::Newtype { .. }, .. }))
    };
    let name = definition.filter(|definition| !is_newtype(definition)).and_then(spelled);
    let keywords = ["struct ", "union ", "enum "];
    name.is_some_and(|name| keywords.iter().any(|keyword| name.starts_with(keyword)))
}

/// How C spells a type.
fn spelled(definition: &Definition) -> Option<&str> {
    match definition {
        Definition::Record(record) => record.c_name.as_deref(),
        Definition::Enum(definition) => definition.c_name.as_deref(),
        Definition::Opaque(opaque) => Some(opaque.c_name.as_str()),
        Definition::Alias(_) => None,
    }
}

fn rename(ty: &mut Type, names: &BTreeMap<String, String>) {
    match ty {
        Type::Named(name) => {
            if let Some(typedef) = names.get(name) {
                name.clone_from(typedef);
            }
        }
        Type::Pointer { to, .. } => rename(to, names),
        Type::Array { of, .. } => rename(of, names),
        Type::Void | Type::Scalar(_) | Type::Function(_) | Type::Unsupported(_) => {}
    }
}
