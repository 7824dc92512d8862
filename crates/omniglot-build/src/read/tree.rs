//! Everything that the headers declare, in their order.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use clang::{Entity, EntityKind, TranslationUnit};

use super::clang_types;

/// libclang's tree, flat.
#[derive(Default)]
pub(super) struct Tree<'tu> {
    /// Functions, variables and types, those within others after them.
    pub(super) declarations: Vec<Entity<'tu>>,
    /// The records around types that are declared within them.
    pub(super) around: HashMap<Entity<'tu>, Entity<'tu>>,
    /// The typedefs of types without a tag, which these are called by.
    pub(super) typedefs: HashMap<Entity<'tu>, String>,
    /// The names of macros.
    pub(super) macros: BTreeSet<String>,
    /// Every file that is included.
    pub(super) included: BTreeSet<PathBuf>,
}

impl<'tu> Tree<'tu> {
    pub(super) fn new(parsed: &'tu TranslationUnit<'tu>) -> Self {
        let mut tree = Self::default();
        for entity in parsed.get_entity().get_children() {
            match entity.get_kind() {
                EntityKind::MacroDefinition => tree.macros.extend(entity.get_name()),
                EntityKind::InclusionDirective => {
                    tree.included.extend(entity.get_file().map(|file| file.get_path()));
                }
                _ => tree.add(entity, None),
            }
        }
        tree
    }

    /// Adds a declaration and what is declared within it.
    fn add(&mut self, entity: Entity<'tu>, around: Option<Entity<'tu>>) {
        let kind = entity.get_kind();
        if !is_declaration(kind) {
            return;
        }
        let is_type = is_tagged(kind);
        if let Some(around) = around.filter(|_| is_type && entity.is_definition()) {
            self.around.entry(entity.get_canonical_entity()).or_insert(around);
        }
        if kind == EntityKind::TypedefDecl {
            self.add_typedef(&entity);
        }
        if is_type || is_item(kind) {
            self.declarations.push(entity);
        }
        let around = if is_record(kind) { Some(entity) } else { around };
        // Values of enums declare nothing.
        if kind != EntityKind::EnumDecl {
            entity.get_children().into_iter().for_each(|child| self.add(child, around));
        }
    }

    /// The first typedef of a type without a tag is its name.
    fn add_typedef(&mut self, entity: &Entity<'tu>) {
        let Some(ty) = entity.get_typedef_underlying_type() else { return };
        let declared = clang_types::plain(ty).get_declaration();
        let untagged =
            declared.filter(|declared| is_tagged(declared.get_kind()) && tag(declared).is_none());
        if let (Some(untagged), Some(name)) = (untagged, entity.get_name()) {
            self.typedefs.entry(untagged.get_canonical_entity()).or_insert(name);
        }
    }

    /// Whether a declaration is the one to read: of a type its definition, if there is one.
    pub(super) fn is_decisive(&self, entity: &Entity<'tu>) -> bool {
        !is_tagged(entity.get_kind()) || entity.is_definition() || entity.get_definition().is_none()
    }

    /// How C spells a struct, union or enum: by tag, else by typedef, else not at all.
    pub(super) fn spelled(&self, entity: &Entity<'tu>) -> Option<String> {
        let keyword = match entity.get_kind() {
            EntityKind::UnionDecl => "union",
            EntityKind::EnumDecl => "enum",
            _ => "struct",
        };
        match tag(entity) {
            Some(tag) => Some(format!("{keyword} {tag}")),
            None => self.typedefs.get(&entity.get_canonical_entity()).cloned(),
        }
    }

    /// The names of all typedefs and tags.
    pub(super) fn type_names(&self) -> BTreeSet<String> {
        let types = self.declarations.iter().filter(|entity| is_type(entity.get_kind()));
        types.filter_map(name_of).collect()
    }
}

/// `FILE:LINE`
pub(super) fn place(entity: &Entity<'_>) -> String {
    let place = entity.get_location().map(|location| location.get_file_location());
    let file = place.as_ref().and_then(|place| place.file);
    let path = file.map(|file| file.get_path().display().to_string()).unwrap_or_default();
    format!("{path}:{}", place.map_or(0, |place| place.line))
}

/// The name that a declaration has in C.
pub(super) fn name_of(entity: &Entity<'_>) -> Option<String> {
    if is_tagged(entity.get_kind()) { tag(entity) } else { entity.get_name() }
}

/// The tag of a struct, union or enum. Newer versions of libclang give types without one a
/// description, or the name of their typedef.
pub(super) fn tag(entity: &Entity<'_>) -> Option<String> {
    let name = entity.get_name().filter(|name| !name.is_empty() && !name.contains([' ', '(']))?;
    let spelled = entity.get_type()?.get_canonical_type().get_display_name();
    let words = spelled.split_whitespace();
    let mut words = words.skip_while(|word| matches!(*word, "const" | "volatile"));
    matches!(words.next(), Some("struct" | "union" | "enum")).then_some(name)
}

pub(super) fn is_record(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::StructDecl | EntityKind::UnionDecl)
}

/// Whether it is a kind of declaration that can have a tag.
pub(super) fn is_tagged(kind: EntityKind) -> bool {
    is_record(kind) || kind == EntityKind::EnumDecl
}

pub(super) fn is_type(kind: EntityKind) -> bool {
    kind == EntityKind::TypedefDecl || is_tagged(kind)
}

fn is_item(kind: EntityKind) -> bool {
    matches!(kind, EntityKind::FunctionDecl | EntityKind::VarDecl | EntityKind::TypedefDecl)
}

/// Whether types can be declared within it, or it is one itself.
fn is_declaration(kind: EntityKind) -> bool {
    is_tagged(kind)
        || is_item(kind)
        || matches!(
            kind,
            EntityKind::FieldDecl
                | EntityKind::ParmDecl
                // `extern "C" { … }`
                | EntityKind::LinkageSpec
                | EntityKind::UnexposedDecl
        )
}
