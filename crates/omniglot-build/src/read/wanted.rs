//! What the user wants of the headers: what is bound, what is left out, and how enums are.

use std::path::PathBuf;

use clang::{Entity, EntityKind};
use regex_lite::Regex;

use super::own::{self, Own};
use super::tree::{self, Tree};
use crate::error::Result;
use crate::options::{Options, Purpose, whole_name};
use crate::scalar::Target;
use crate::{described, names};

pub(super) struct Wanted {
    patterns: Vec<(Purpose, Regex)>,
    /// Functions and types that are needed whatever is allowed, by their names.
    needed: Vec<String>,
    /// The files whose declarations are bound, if there is no allowlist.
    own: Option<Own>,
}

impl Wanted {
    pub(super) fn new(options: &Options, includes: &[PathBuf], target: &Target) -> Result<Self> {
        let patterns: Result<_> = options
            .patterns
            .iter()
            .map(|pattern| {
                let regex = whole_name(pattern.purpose.method(), &pattern.text)?;
                Ok((pattern.purpose, regex))
            })
            .collect();
        let needed = described::needed(options).chain(options.bool_types.iter().cloned());
        let own = (!options.has_allowlist()).then(|| own::files(options, includes, target));
        Ok(Self { patterns: patterns?, needed: needed.collect(), own })
    }

    /// Whether a declaration is to be bound.
    pub(super) fn includes<'tu>(&self, entity: &Entity<'tu>, tree: &Tree<'tu>) -> bool {
        let kind = entity.get_kind();
        if kind == EntityKind::FunctionDecl && self.blocks(entity, tree) {
            return false;
        }
        let name = own_name(entity, tree);
        let is_needed = |name: &String| {
            let is_variable = kind == EntityKind::VarDecl;
            !is_variable && (described::name(name).is_some() || self.needed.contains(name))
        };
        if name.as_ref().is_some_and(is_needed) {
            return true;
        }
        if let Some(own) = &self.own {
            return is_in(own, &decisive(entity));
        }
        match (kind, name) {
            (EntityKind::FunctionDecl, Some(name)) => self.matches(Purpose::AllowFunction, &name),
            (EntityKind::VarDecl, Some(name)) => self.matches(Purpose::AllowVar, &name),
            (_, Some(name)) => self.matches(Purpose::AllowType, &name),
            // The values of an enum without a name are constants.
            (EntityKind::EnumDecl, None) => {
                let values = entity.get_children().into_iter().filter_map(|value| value.get_name());
                values.into_iter().any(|name| self.matches(Purpose::AllowVar, &name))
            }
            _ => false,
        }
    }

    /// Whether a macro is to be bound.
    pub(super) fn includes_macro(&self, name: &str, definition: &Entity<'_>) -> bool {
        match &self.own {
            Some(own) => is_in(own, definition),
            None => self.matches(Purpose::AllowVar, name),
        }
    }

    /// Whether a declaration is left out.
    pub(super) fn blocks<'tu>(&self, entity: &Entity<'tu>, tree: &Tree<'tu>) -> bool {
        let purpose = match entity.get_kind() {
            EntityKind::FunctionDecl => Purpose::BlockFunction,
            EntityKind::VarDecl => return false,
            _ => Purpose::BlockType,
        };
        own_name(entity, tree).is_some_and(|name| self.matches(purpose, &name))
    }

    /// Whether a pattern matches a name, as it is in C or in Rust.
    pub(super) fn matches(&self, purpose: Purpose, name: &str) -> bool {
        let escaped = names::escape(name);
        let patterns = self.patterns.iter().filter(|(own, _)| *own == purpose);
        patterns.into_iter().any(|(_, regex)| regex.is_match(name) || regex.is_match(&escaped))
    }
}

fn is_in(own: &Own, entity: &Entity<'_>) -> bool {
    let file = entity.get_location().and_then(|at| at.get_file_location().file);
    file.is_some_and(|file| own.contains(&file.get_path()))
}

/// The declaration whose place counts: of a type its definition.
fn decisive<'tu>(entity: &Entity<'tu>) -> Entity<'tu> {
    let definition = entity.get_definition().filter(|_| tree::is_tagged(entity.get_kind()));
    definition.unwrap_or(*entity)
}

/// The name by which the user knows a declaration.
fn own_name<'tu>(entity: &Entity<'tu>, tree: &Tree<'tu>) -> Option<String> {
    let typedef = || tree.typedefs.get(&entity.get_canonical_entity()).cloned();
    tree::name_of(entity).or_else(typedef)
}
