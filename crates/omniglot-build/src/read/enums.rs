//! Enums: as which Rust types, and with which values.

use std::collections::BTreeSet;

use clang::{Entity, EntityKind, Type as CType, TypeKind};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::reader::Reader;
use super::records::distinguish;
use super::{comments, numbers, rust_names, tree};
use crate::model::{
    Alias, Constant, ConstantType, Definition, Enum, Field, Record, Shape, Type, Variant,
};
use crate::names::{self, ident};
use crate::options::Purpose;
use crate::scalar::Scalar;

/// As which Rust type an enum is bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// An enum.
    Plain,
    /// A struct around the integer, with `|` and `&` if it is for flags.
    Newtype { is_flags: bool },
    /// The integer, and constants.
    Constants,
}

impl<'tu> Reader<'_, 'tu> {
    pub(super) fn enumeration(&mut self, entity: Entity<'tu>) {
        if rust_names::is_plain_integer(&entity, self.tree) {
            self.nameless(&entity);
            return;
        }
        let name = self.names.of(entity);
        if self.is_left_out(entity, &name) {
            return;
        }
        self.placed(entity, &name);
        let (variants, docs) = (variants(&entity), comments::of(&entity));
        if variants.is_empty() {
            self.only_declared(entity, &name, docs);
            return;
        }
        match self.style(&entity, &name) {
            Style::Plain => self.plain(entity, name, variants, docs),
            Style::Newtype { is_flags } => self.newtype(entity, name, variants, is_flags, docs),
            Style::Constants => {
                let target = self.representation(&entity);
                self.model.types.insert(name.clone(), Definition::Alias(Alias { target, docs }));
                let ty = Type::Named(name);
                variants.into_iter().for_each(|variant| self.enum_constant(&ty, variant));
            }
        }
    }

    fn style(&self, entity: &Entity<'tu>, name: &str) -> Style {
        let typedef = self.tree.typedefs.get(&entity.get_canonical_entity()).cloned();
        let c_name = tree::name_of(entity).or(typedef);
        let names = [Some(name.to_owned()), c_name.clone()];
        let names: Vec<String> = names.into_iter().flatten().collect();
        let is = |purpose| names.iter().any(|name| self.wanted.matches(purpose, name));
        if is(Purpose::BitfieldEnum) {
            Style::Newtype { is_flags: true }
        } else if is(Purpose::NewtypeEnum) {
            Style::Newtype { is_flags: false }
        } else if is(Purpose::ConstifiedEnum) {
            Style::Constants
        } else if !is(Purpose::PlainEnum) && c_name.is_some_and(|name| is_flags(entity, &name)) {
            Style::Newtype { is_flags: true }
        } else {
            Style::Plain
        }
    }

    /// An enum of which only its values are valid.
    fn plain(&mut self, entity: Entity<'tu>, name: String, all: Vec<Variant>, docs: String) {
        let Some(repr) = representation(&entity) else { return };
        let (mut variants, mut synonyms): (Vec<Variant>, Vec<(String, String)>) =
            Default::default();
        for variant in all {
            match variants.iter().find(|known| known.value == variant.value) {
                Some(known) => synonyms.push((variant.name, known.name.clone())),
                None => variants.push(variant),
            }
        }
        distinguish(variants.iter_mut().map(|variant| &mut variant.name));
        let c_name = self.tree.spelled(&entity);
        if c_name.is_none() {
            self.values_of_nameless(&entity, &name, &variants, &mut synonyms);
        }
        let definition = Enum { c_name, repr, boolean: false, variants, synonyms, docs };
        self.model.types.insert(name, Definition::Enum(definition));
    }

    /// Constants for the values of an enum without a name within a record, by the record's name.
    fn values_of_nameless(
        &mut self,
        entity: &Entity<'tu>,
        name: &str,
        variants: &[Variant],
        synonyms: &mut Vec<(String, String)>,
    ) {
        let around = self.tree.around.get(&entity.get_canonical_entity()).copied();
        let outer = around.map(|around| self.names.of(around)).unwrap_or_default();
        let own = variants.iter().map(|variant| (variant.name.clone(), variant.name.clone()));
        let all: Vec<(String, String)> = own.chain(std::mem::take(synonyms)).collect();
        for (new, variant) in all {
            let (ty, value) = (ident(name), ident(&variant));
            self.model.constants.push(Constant {
                name: format!("{outer}_{new}"),
                c_name: new,
                ty: ConstantType::Value(Type::Named(name.to_owned())),
                value: quote! { #ty::#value },
                confirmed: None,
                docs: String::new(),
            });
        }
    }

    /// An enum as a struct around its integer.
    fn newtype(
        &mut self,
        entity: Entity<'tu>,
        name: String,
        mut values: Vec<Variant>,
        is_flags: bool,
        docs: String,
    ) {
        let ty = self.representation(&entity);
        distinguish(values.iter_mut().map(|value| &mut value.name));
        let field =
            Field { name: "0".to_owned(), c_name: None, ty, offset: Some(0), docs: String::new() };
        let record = Record {
            c_name: self.tree.spelled(&entity),
            shape: Shape::Newtype { values, is_flags },
            fields: vec![field],
            bit_fields: Vec::new(),
            size: 0,
            align: 0,
            is_fixed: false,
            docs,
        };
        self.model.types.insert(name, Definition::Record(record));
    }

    /// The values of an enum without a name: each is an `int` in C, if it can be.
    fn nameless(&mut self, entity: &Entity<'tu>) {
        let integer = self.representation(entity);
        for variant in variants(entity) {
            let int = i32::try_from(variant.value).ok().and_then(|_| Scalar::named("c_int"));
            let ty = int.map_or_else(|| integer.clone(), Type::Scalar);
            self.enum_constant(&ty, variant);
        }
    }

    fn enum_constant(&mut self, ty: &Type, variant: Variant) {
        self.model.constants.push(Constant {
            c_name: variant.c_name,
            name: variant.name,
            ty: ConstantType::Value(ty.clone()),
            value: literal(variant.value),
            confirmed: None,
            docs: variant.docs,
        });
    }
}

fn literal(value: i128) -> TokenStream {
    Literal::i128_unsuffixed(value).to_token_stream()
}

fn variants(entity: &Entity<'_>) -> Vec<Variant> {
    let Some(integer) = underlying(entity) else { return Vec::new() };
    let is_signed = is_signed(integer.get_kind());
    let values = constants(entity).into_iter().filter_map(|constant| {
        let (signed, unsigned) = constant.get_enum_constant_value()?;
        let value = if is_signed { i128::from(signed) } else { i128::from(unsigned) };
        let c_name = constant.get_name()?;
        let docs = comments::of(&constant);
        Some(Variant { name: names::escape(&c_name), c_name, value, docs })
    });
    values.collect()
}

fn constants<'tu>(entity: &Entity<'tu>) -> Vec<Entity<'tu>> {
    let children = entity.get_children().into_iter();
    children.filter(|child| child.get_kind() == EntityKind::EnumConstantDecl).collect()
}

fn underlying<'tu>(entity: &Entity<'tu>) -> Option<CType<'tu>> {
    Some(entity.get_definition()?.get_enum_underlying_type()?.get_canonical_type())
}

/// The integer of fixed size that an enum is.
fn representation(entity: &Entity<'_>) -> Option<&'static Scalar> {
    let integer = underlying(entity)?;
    let sign = if is_signed(integer.get_kind()) { 'i' } else { 'u' };
    Scalar::named(&format!("{sign}{}", 8 * integer.get_sizeof().ok()?))
}

fn is_signed(kind: TypeKind) -> bool {
    let name = numbers::scalar(kind).unwrap_or_default();
    let is_unsigned = matches!(kind, TypeKind::CharU | TypeKind::Bool | TypeKind::UInt128)
        || name.starts_with("c_u");
    !is_unsigned
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
