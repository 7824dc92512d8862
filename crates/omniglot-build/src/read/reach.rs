//! What declarations need: the types that are reached from them.

use std::collections::HashSet;

use clang::{Entity, EntityKind, Type, TypeKind};

use super::clang_types;
use super::tree::{self, Tree};
use super::wanted::Wanted;

/// The declarations, by their first ones, and all types that they need, in the order in which they
/// are reached.
pub(super) fn closure<'tu>(
    roots: &[Entity<'tu>],
    tree: &Tree<'tu>,
    wanted: &Wanted,
) -> (Vec<Entity<'tu>>, HashSet<Entity<'tu>>) {
    let mut reach = Reach { tree, wanted, order: Vec::new(), seen: HashSet::new() };
    roots.iter().for_each(|root| reach.declaration(*root));
    (reach.order, reach.seen)
}

struct Reach<'a, 'tu> {
    tree: &'a Tree<'tu>,
    wanted: &'a Wanted,
    order: Vec<Entity<'tu>>,
    seen: HashSet<Entity<'tu>>,
}

impl<'tu> Reach<'_, 'tu> {
    fn declaration(&mut self, entity: Entity<'tu>) {
        let key = entity.get_canonical_entity();
        if !self.seen.insert(key) {
            return;
        }
        self.order.push(key);
        if self.wanted.blocks(&entity, self.tree) {
            return;
        }
        match entity.get_kind() {
            EntityKind::TypedefDecl if entity.get_type().is_some_and(clang_types::is_built_in) => {}
            EntityKind::TypedefDecl => self.some(entity.get_typedef_underlying_type()),
            EntityKind::EnumDecl => {
                self.some(
                    entity.get_definition().and_then(|entity| entity.get_enum_underlying_type()),
                );
            }
            EntityKind::StructDecl | EntityKind::UnionDecl => self.record(entity),
            _ => self.some(entity.get_type()),
        }
    }

    /// Fields, and types that are declared within.
    fn record(&mut self, entity: Entity<'tu>) {
        let Some(definition) = entity.get_definition() else { return };
        for child in definition.get_children() {
            match child.get_kind() {
                EntityKind::FieldDecl => self.some(child.get_type()),
                kind if tree::is_tagged(kind) && child.is_definition() => self.declaration(child),
                _ => {}
            }
        }
    }

    fn some(&mut self, ty: Option<Type<'tu>>) {
        ty.into_iter().for_each(|ty| self.ty(ty));
    }

    fn ty(&mut self, ty: Type<'tu>) {
        let ty = clang_types::plain(ty);
        if let Some(function) = clang_types::function(ty) {
            self.some(function.get_result_type());
            let parameters = function.get_argument_types().unwrap_or_default();
            parameters.into_iter().for_each(|ty| self.ty(ty));
            return;
        }
        match ty.get_kind() {
            TypeKind::Pointer => self.some(ty.get_pointee_type()),
            TypeKind::Typedef if clang_types::is_built_in(ty) => {}
            TypeKind::Typedef | TypeKind::Record | TypeKind::Enum => {
                ty.get_declaration().into_iter().for_each(|entity| self.declaration(entity));
            }
            _ => self.some(ty.get_element_type()),
        }
    }
}
