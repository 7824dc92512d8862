//! The header's identifiers and tags, as C has them, and what bindgen makes of them.
//!
//! bindgen has one name space for types where C has two, and it escapes names that Rust does not
//! accept. This module finds what a name of bindgen's stands for.

use std::collections::{BTreeMap, BTreeSet};

use clang::{Entity, EntityKind, Type};

use crate::names;

/// Every identifier that the headers declare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identifiers {
    /// Tags, with their keywords: `struct point`.
    tags: BTreeSet<String>,
    /// Typedefs of structs, unions and enums that have no tag of their own.
    untagged: BTreeSet<String>,
    /// Identifiers that are in Rust what they are in C.
    plain: BTreeSet<String>,
    /// The others, by what bindgen makes of them.
    escaped: BTreeMap<String, BTreeSet<String>>,
    /// What a type's name can mean, by bindgen's name for it.
    meanings: BTreeMap<String, BTreeSet<String>>,
    /// Fields, in their order, by tags with keywords and by typedefs.
    fields: BTreeMap<String, Vec<String>>,
    /// Structs and unions that have a `const` member, to which C assigns nothing.
    fixed: BTreeSet<String>,
}

impl Identifiers {
    /// Records what an entity declares, and everything within it.
    pub(crate) fn add(&mut self, entity: &Entity<'_>) {
        if let Some(name) = name_of(entity).filter(|_| !is_untagged(entity)) {
            self.add_identifier(&name);
            self.add_type(entity, &name);
        }
        for child in entity.get_children() {
            if is_declaration(child.get_kind()) {
                self.add(&child);
            }
        }
    }

    fn add_identifier(&mut self, name: &str) {
        let escaped = names::escape(name);
        if escaped == name {
            self.plain.insert(escaped);
        } else {
            self.escaped.entry(escaped).or_default().insert(name.to_owned());
        }
    }

    fn add_type(&mut self, entity: &Entity<'_>, name: &str) {
        let (keyword, ty) = match entity.get_kind() {
            EntityKind::StructDecl => ("struct", entity.get_type()),
            EntityKind::UnionDecl => ("union", entity.get_type()),
            EntityKind::EnumDecl => ("enum", entity.get_type()),
            EntityKind::TypedefDecl => ("", entity.get_typedef_underlying_type()),
            _ => return,
        };
        let Some(ty) = ty.map(|ty| ty.get_canonical_type()) else { return };
        let meaning = ty.get_display_name();
        self.meanings.entry(names::escape(name)).or_default().insert(meaning);
        if !keyword.is_empty() {
            let tag = format!("{keyword} {name}");
            self.add_fields(&tag, entity);
            self.tags.insert(tag);
        } else if let Some(untagged) = ty.get_declaration().filter(|entity| is_untagged(entity)) {
            self.add_fields(name, &untagged);
            self.untagged.insert(name.to_owned());
        }
    }

    fn add_fields(&mut self, record: &str, entity: &Entity<'_>) {
        let fields = entity.get_children().into_iter();
        let fields = fields.filter(|child| child.get_kind() == EntityKind::FieldDecl);
        let fields: Vec<String> = fields.filter_map(|field| name_of(&field)).collect();
        if !fields.is_empty() {
            self.fields.insert(record.to_owned(), fields);
        }
        if entity.get_type().is_some_and(has_const_member) {
            self.fixed.insert(record.to_owned());
        }
    }

    /// The C identifier behind bindgen's name.
    pub(crate) fn in_c<'a>(&'a self, rust: &'a str) -> &'a str {
        match self.escaped.get(rust).and_then(BTreeSet::first) {
            Some(escaped) if !self.plain.contains(rust) => escaped,
            _ => rust,
        }
    }

    /// Whether the headers declare something of this C name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        let escaped = self.escaped.get(&names::escape(name));
        self.plain.contains(name) || escaped.is_some_and(|known| known.contains(name))
    }

    /// The fields of a struct or union, by its C spelling.
    pub(crate) fn fields(&self, record: &str) -> &[String] {
        self.fields.get(record).map_or(&[], Vec::as_slice)
    }

    /// Whether a struct or union, by its C spelling, has a member that is `const`.
    pub(crate) fn is_fixed(&self, record: &str) -> bool {
        self.fixed.contains(record)
    }

    /// Whether bindgen's name stands for several types: a typedef and another type's tag, or
    /// two whose names Rust escapes alike.
    pub(crate) fn is_ambiguous(&self, rust: &str) -> bool {
        self.meanings.get(rust).is_some_and(|meanings| meanings.len() > 1)
    }

    /// The C spelling of a struct, union or enum, by bindgen's name without what was appended
    /// to it: by tag, else by typedef, else none. bindgen calls a type within another one
    /// `outer_inner`; C knows it as `inner`.
    pub(crate) fn spelled(&self, rust: &str, keyword: &str) -> Option<String> {
        let name = self.in_c(rust);
        let tag = format!("{keyword} {name}");
        if self.tags.contains(&tag) {
            return Some(tag);
        }
        if self.untagged.contains(name) {
            return Some(name.to_owned());
        }
        let places = name.match_indices('_').filter_map(|(place, _)| name.get(place + 1..));
        places
            .map(|inner| format!("{keyword} {}", self.in_c(inner)))
            .find(|tag| self.tags.contains(tag))
    }

    /// Whether a name is that of a type in C: of a typedef, or of a tag.
    pub(crate) fn is_type(&self, name: &str) -> bool {
        self.meanings.contains_key(&names::escape(name))
    }
}

/// Whether a struct or union has a member that is `const`, however deep.
fn has_const_member(record: Type<'_>) -> bool {
    record.get_canonical_type().get_fields().unwrap_or_default().iter().any(|field| {
        let mut ty = field.get_type();
        while let Some(element) = ty.and_then(|ty| ty.get_element_type()) {
            ty = Some(element);
        }
        ty.is_some_and(|ty| ty.get_canonical_type().is_const_qualified() || has_const_member(ty))
    })
}

/// The name that a declaration has in C. Newer versions of libclang give types without a name
/// a description for one.
pub(crate) fn name_of(entity: &Entity<'_>) -> Option<String> {
    entity.get_name().filter(|name| !name.is_empty() && !name.contains([' ', '(']))
}

fn is_untagged(entity: &Entity<'_>) -> bool {
    let kind = entity.get_kind();
    let is_type =
        matches!(kind, EntityKind::StructDecl | EntityKind::UnionDecl | EntityKind::EnumDecl);
    // Newer versions of libclang call such a type as its typedef.
    is_type && (name_of(entity).is_none() || !starts_with_tag(entity))
}

/// Whether a type is spelled with a keyword, as those with a tag are.
fn starts_with_tag(entity: &Entity<'_>) -> bool {
    let spelled = entity.get_type().map(|ty| ty.get_canonical_type().get_display_name());
    let starts = |text: &str| ["struct ", "union ", "enum "].iter().any(|kw| text.starts_with(kw));
    spelled.is_some_and(|text| starts(&text) && !text.contains('('))
}

fn is_declaration(kind: EntityKind) -> bool {
    matches!(
        kind,
        EntityKind::StructDecl
            | EntityKind::UnionDecl
            | EntityKind::EnumDecl
            | EntityKind::EnumConstantDecl
            | EntityKind::FieldDecl
            | EntityKind::ParmDecl
            | EntityKind::FunctionDecl
            | EntityKind::VarDecl
            | EntityKind::TypedefDecl
            | EntityKind::LinkageSpec
            | EntityKind::UnexposedDecl
    )
}
