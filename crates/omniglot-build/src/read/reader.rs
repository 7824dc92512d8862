//! From libclang's declarations to the model.

use std::collections::{BTreeMap, HashSet};

use clang::{Entity, EntityKind};

use super::rust_names::RustNames;
use super::tree::{self, Tree};
use super::wanted::Wanted;
use super::{annotations, clang_types, comments, reach};
use crate::model::{Alias, Definition, Model, Record, Type};
use crate::names;
use crate::options::Options;

/// Where a type is used.
#[derive(Clone, Copy)]
pub(super) struct At<'n, 'tu> {
    /// Names a function pointer that has no name in C.
    pub(super) name: &'n str,
    /// What is declared, which has the names of a function pointer's parameters.
    pub(super) entity: Option<Entity<'tu>>,
}

/// Makes the model of declarations.
pub(super) struct Reader<'a, 'tu> {
    pub(super) tree: &'a Tree<'tu>,
    pub(super) wanted: &'a Wanted,
    pub(super) names: RustNames<'a, 'tu>,
    pub(super) model: Model,
    /// Signatures without a name in C: their C types and the names that they got.
    pub(super) anonymous: BTreeMap<String, String>,
    /// Numbers with which only C can calculate, by their Rust names.
    pub(super) opaque: BTreeMap<&'static str, Record>,
    /// Comments on the typedefs of types that have their name.
    pub(super) docs: Vec<(String, String)>,
}

impl<'a, 'tu> Reader<'a, 'tu> {
    pub(super) fn new(tree: &'a Tree<'tu>, wanted: &'a Wanted, options: &Options) -> Self {
        let reserved = names::module_names(&options.instance());
        let model = Model {
            macros: tree.macros.clone(),
            types_in_c: tree.type_names(),
            ..Model::default()
        };
        let names = RustNames::new(tree, reserved);
        let (anonymous, opaque, docs) = Default::default();
        Self { tree, wanted, names, model, anonymous, opaque, docs }
    }

    /// Reads what is wanted, and what that needs, in the headers' order.
    pub(super) fn read(&mut self) {
        for function in self.tree.declarations.iter().filter(|found| is_function(found)) {
            annotations::add(function, &mut self.model.annotations);
        }
        let is_root = |entity: &&Entity<'tu>| self.wanted.includes(entity, self.tree);
        let roots: Vec<Entity<'tu>> =
            self.tree.declarations.iter().filter(is_root).copied().collect();
        let (order, reached) = reach::closure(&roots, self.tree, self.wanted);
        self.names.reserve_typedefs(&reached);
        let roots: HashSet<Entity<'tu>> = roots.into_iter().collect();
        let mut read = HashSet::new();
        for entity in &self.tree.declarations {
            let key = entity.get_canonical_entity();
            let is_wanted = match entity.get_kind() {
                EntityKind::FunctionDecl | EntityKind::VarDecl => roots.contains(entity),
                _ => reached.contains(&key) && self.tree.is_decisive(entity),
            };
            if is_wanted && read.insert(key) {
                self.declaration(*entity);
            }
        }
        // What is declared only where it is used, such as in a list of parameters, or by the
        // compiler, is in no list of declarations.
        let is_type = |entity: &&Entity<'tu>| tree::is_type(entity.get_kind());
        for entity in order.iter().filter(is_type).filter(|entity| !read.contains(*entity)) {
            self.declaration(entity.get_definition().unwrap_or(*entity));
        }
    }

    fn declaration(&mut self, entity: Entity<'tu>) {
        match entity.get_kind() {
            EntityKind::FunctionDecl => self.function(entity),
            EntityKind::VarDecl => self.variable(entity),
            EntityKind::EnumDecl => self.enumeration(entity),
            EntityKind::TypedefDecl => self.typedef(entity),
            _ => self.record(entity),
        }
    }

    /// A typedef. One of a function pointer names a signature.
    fn typedef(&mut self, entity: Entity<'tu>) {
        let Some(underlying) = entity.get_typedef_underlying_type() else { return };
        if entity.get_type().is_some_and(clang_types::is_built_in) {
            return;
        }
        let (name, docs) = (self.names.of(entity), comments::of(&entity));
        if self.is_left_out(entity, &name) {
            return;
        }
        if self.names.is_same(entity) {
            self.docs.push((name, docs));
            return;
        }
        self.placed(entity, &name);
        let target = match clang_types::function(underlying) {
            Some(function) => {
                self.signature(&name, function, Some(entity), docs.clone(), true);
                Type::Function(name.clone())
            }
            None => self.ty(underlying, At { name: &name, entity: Some(entity) }),
        };
        self.model.types.insert(name, Definition::Alias(Alias { target, docs }));
    }

    /// Remembers where something is declared.
    pub(super) fn placed(&mut self, entity: Entity<'tu>, rust: &str) {
        let place = tree::place(&entity);
        let own = [Some(rust.to_owned()), tree::name_of(&entity)];
        for name in own.into_iter().flatten() {
            self.model.places.entry(name).or_insert_with(|| place.clone());
        }
    }

    pub(super) fn finish(mut self) -> Model {
        for (name, record) in self.opaque {
            self.model.types.insert(name.to_owned(), Definition::Record(record));
        }
        for (name, docs) in self.docs {
            self.model.types.document(&name, docs);
        }
        self.names.tell(&mut self.model);
        self.model
    }
}

fn is_function(entity: &Entity<'_>) -> bool {
    entity.get_kind() == EntityKind::FunctionDecl
}
