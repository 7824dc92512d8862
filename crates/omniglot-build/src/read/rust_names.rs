//! The names that types have in Rust, which has one name space where C has two.

use std::collections::{BTreeMap, HashMap, HashSet};

use clang::{Entity, EntityKind};

use super::tree::{self, Tree};
use crate::diagnostics;
use crate::model::Model;
use crate::names;

/// Gives names, each once.
pub(super) struct RustNames<'a, 'tu> {
    tree: &'a Tree<'tu>,
    /// What generated code has itself.
    reserved: Vec<String>,
    given: HashMap<Entity<'tu>, String>,
    taken: BTreeMap<String, Entity<'tu>>,
    /// How many types without a name each record has, or the file.
    nameless: HashMap<Option<Entity<'tu>>, u32>,
    /// How many functions have each name.
    functions: HashMap<String, u32>,
    /// C's names of those that have another one.
    in_c: BTreeMap<String, String>,
    /// C names of what got another name, since generated code has that one, or another type.
    renamed: BTreeMap<String, String>,
    shared: BTreeMap<String, String>,
}

impl<'a, 'tu> RustNames<'a, 'tu> {
    pub(super) fn new(tree: &'a Tree<'tu>, reserved: Vec<String>) -> Self {
        Self {
            tree,
            reserved,
            given: HashMap::new(),
            taken: BTreeMap::new(),
            nameless: HashMap::new(),
            functions: HashMap::new(),
            in_c: BTreeMap::new(),
            renamed: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Gives typedefs their names before others, since C programs use them.
    pub(super) fn reserve_typedefs(&mut self, reached: &HashSet<Entity<'tu>>) {
        for entity in &self.tree.declarations {
            let is_typedef = entity.get_kind() == EntityKind::TypedefDecl;
            if is_typedef && reached.contains(&entity.get_canonical_entity()) {
                self.of(*entity);
            }
        }
    }

    /// The name of a typedef, struct, union or enum.
    pub(super) fn of(&mut self, entity: Entity<'tu>) -> String {
        let key = self.key(entity);
        if let Some(given) = self.given.get(&key) {
            return given.clone();
        }
        let (name, in_c) = self.preferred(key);
        let mut name = self.unreserved(name);
        if self.taken.contains_key(&name) {
            while self.taken.contains_key(&name) {
                name.push('_');
            }
            self.shared.insert(name.clone(), in_c.clone());
        }
        if name != in_c {
            self.in_c.insert(name.clone(), in_c);
        }
        self.taken.insert(name.clone(), key);
        self.given.insert(key, name.clone());
        name
    }

    /// Whether a typedef has the name of its own type.
    pub(super) fn is_same(&self, typedef: Entity<'tu>) -> bool {
        self.key(typedef) != typedef.get_canonical_entity()
    }

    /// The declaration that stands for a type: `typedef struct foo foo;` is `struct foo`.
    fn key(&self, entity: Entity<'tu>) -> Entity<'tu> {
        let own = entity.get_canonical_entity();
        if entity.get_kind() != EntityKind::TypedefDecl {
            return own;
        }
        let Some(ty) = entity.get_typedef_underlying_type() else { return own };
        let meant = ty.get_canonical_type().get_declaration();
        let meant = meant.filter(|meant| tree::is_tagged(meant.get_kind()));
        match meant.map(|meant| meant.get_canonical_entity()) {
            Some(meant) if self.own_name(meant) == entity.get_name() => meant,
            _ => own,
        }
    }

    /// A tag, or the name of the typedef that is in a tag's place.
    fn own_name(&self, entity: Entity<'tu>) -> Option<String> {
        let typedef = || self.tree.typedefs.get(&entity).cloned();
        tree::name_of(&entity).or_else(typedef)
    }

    /// The name that a type would have were it alone, and its name in C.
    fn preferred(&mut self, entity: Entity<'tu>) -> (String, String) {
        let around = self.tree.around.get(&entity).copied();
        let own = self.own_name(entity);
        let is_typedef = tree::tag(&entity).is_none() && own.is_some();
        let Some(around) = around.filter(|_| !is_typedef) else {
            let name = own.unwrap_or_else(|| format!("_anonymous_{}", self.number(None)));
            return (names::escape(&name), name);
        };
        let is_nameless = self.own_name(around.get_canonical_entity()).is_none();
        let outer = self.of(around);
        match own {
            // Within a type without a name, as C knows it.
            Some(name) if is_nameless => (names::escape(&name), name),
            Some(name) => (names::escape(&format!("{outer}_{name}")), name),
            None => {
                let number = self.number(Some(around.get_canonical_entity()));
                let name = format!("{outer}_anonymous_{number}");
                (name.clone(), name)
            }
        }
    }

    fn number(&mut self, around: Option<Entity<'tu>>) -> u32 {
        let count = self.nameless.entry(around).or_default();
        *count += 1;
        *count
    }

    /// A name, unless generated code has it.
    fn unreserved(&mut self, name: String) -> String {
        if !self.reserved.contains(&name) {
            return name;
        }
        let new = format!("{name}_");
        self.renamed.insert(new.clone(), name);
        new
    }

    /// The name of a function. Those that Rust's escapes make alike are numbered.
    pub(super) fn of_function(&mut self, c_name: &str) -> String {
        let name = names::escape(c_name);
        let count = self.functions.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}{}", *count - 1) }
    }

    /// The name of a variable.
    pub(super) fn of_variable(&mut self, c_name: &str) -> String {
        let name = names::escape(c_name);
        self.unreserved(name)
    }

    /// Tells the model which names differ from C's, and why.
    pub(super) fn tell(self, model: &mut Model) {
        model.renamed = self.renamed;
        model.in_c = self.in_c;
        let shared = self.shared.into_iter();
        let said = shared.map(|(new, c_name)| (c_name, diagnostics::renamed_type(&new)));
        model.said.extend(said);
    }
}

/// Whether a type without a name stands for its integer: an enum that is in no record.
pub(super) fn is_plain_integer<'tu>(entity: &Entity<'tu>, tree: &Tree<'tu>) -> bool {
    let key = entity.get_canonical_entity();
    entity.get_kind() == EntityKind::EnumDecl
        && tree::tag(entity).is_none()
        && !tree.typedefs.contains_key(&key)
        && !tree.around.contains_key(&key)
}
