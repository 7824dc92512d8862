//! Structs, unions and enums, as bindgen writes them.

use std::collections::BTreeSet;

use syn::{Expr, ExprLit, Fields, Lit, Meta, UnOp};

use super::facts::BitFieldFacts;
use super::{Lowering, docs};
use crate::model::{BitField, Definition, Enum, Field, Opaque, Record, Shape, Type, Variant};
use crate::names;
use crate::scalar::Scalar;

impl Lowering {
    pub(super) fn record(&mut self, item: &syn::ItemStruct) {
        let name = item.ident.to_string();
        if name.starts_with("__Bindgen")
            || name == "__IncompleteArrayField"
            || names::is_va_list(&name)
            || self.identifiers.is_ambiguous(&name)
        {
            return;
        }
        match &item.fields {
            Fields::Unnamed(fields) if !fields.unnamed.is_empty() => self.newtype(&name, item),
            Fields::Named(_) if self.facts.layout(&name).is_some() => {
                let modifier = representation(&item.attrs);
                self.add_record(&name, &item.fields, Shape::Struct { modifier }, docs(&item.attrs));
            }
            _ => {
                let c_name = self.tagged(&name, "struct").unwrap_or_else(|| name.clone());
                let opaque = Opaque { c_name, docs: docs(&item.attrs) };
                self.model.types.insert(name, Definition::Opaque(opaque));
            }
        }
    }

    pub(super) fn union(&mut self, item: &syn::ItemUnion) {
        let name = item.ident.to_string();
        if self.identifiers.is_ambiguous(&name) {
            return;
        }
        let fields = Fields::Named(item.fields.clone());
        self.add_record(&name, &fields, Shape::Union, docs(&item.attrs));
    }

    fn add_record(&mut self, name: &str, fields: &Fields, shape: Shape, docs: String) {
        let keyword = if matches!(shape, Shape::Union) { "union" } else { "struct" };
        let (size, align) =
            self.facts.layout(name).map_or((0, 1), |layout| (layout.size, layout.align.max(1)));
        let c_name = self.tagged(name, keyword);
        let known = c_name.as_deref().map_or(&[][..], |name| self.identifiers.fields(name));
        let mut known = known.to_vec();
        let fields = fields.iter().filter_map(|field| self.field(name, field, &mut known));
        let mut fields: Vec<Field> = fields.collect();
        distinguish(fields.iter_mut().map(|field| &mut field.name));
        let bit_fields = self.bit_fields(name);
        let record = Record { c_name, shape, fields, bit_fields, size, align, docs };
        self.model.types.insert(name.to_owned(), Definition::Record(record));
    }

    /// A field; `known` are the C names of those of its record that are still to come.
    fn field(
        &mut self,
        record: &str,
        field: &syn::Field,
        known: &mut Vec<String>,
    ) -> Option<Field> {
        let name = field.ident.as_ref()?.to_string();
        let place = known.iter().position(|known| names::escape(known) == name);
        let in_c = match place {
            Some(place) => known.remove(place),
            None => self.identifiers.in_c(&name).to_owned(),
        };
        let ty = self.ty(&field.ty, &format!("{record}_{}", names::word(&in_c)));
        let offset = self.facts.offset(record, &name);
        // bindgen's own fields (bit-fields, padding, anonymous members) have no C name.
        let invented = ["_bitfield_", "__bindgen_", "anonymous_", "_bindgen_"];
        let named = offset.is_some() && !invented.iter().any(|prefix| name.starts_with(prefix));
        let c_name = named.then_some(in_c);
        Some(Field { name, c_name, ty, offset, docs: docs(&field.attrs) })
    }

    fn bit_fields(&mut self, record: &str) -> Vec<BitField> {
        let facts = self.facts.bit_fields(record);
        let lowered = facts.into_iter().map(|facts| {
            let ty = self.ty(&facts.ty, &facts.name);
            let BitFieldFacts { name, storage, offset, width, .. } = facts;
            BitField { name, ty, storage, offset, width }
        });
        lowered.collect()
    }

    /// An enum as a struct around its integer.
    fn newtype(&mut self, name: &str, item: &syn::ItemStruct) {
        let Some(inner) = item.fields.iter().next() else { return };
        let ty = self.ty(&inner.ty, name);
        let impls = self.facts.impls(name);
        let field =
            Field { name: "0".to_owned(), c_name: None, ty, offset: Some(0), docs: String::new() };
        let record = Record {
            c_name: self.tagged(name, "enum"),
            shape: Shape::Newtype { impls },
            fields: vec![field],
            bit_fields: Vec::new(),
            size: 0,
            align: 0,
            docs: docs(&item.attrs),
        };
        self.model.types.insert(name.to_owned(), Definition::Record(record));
    }

    pub(super) fn enumeration(&mut self, item: &syn::ItemEnum) {
        let name = item.ident.to_string();
        if self.identifiers.is_ambiguous(&name) {
            return;
        }
        if item.variants.iter().any(|variant| variant.ident == ONLY_DECLARED) {
            let c_name = self.tagged(&name, "enum").unwrap_or_else(|| name.clone());
            let opaque = Opaque { c_name, docs: docs(&item.attrs) };
            self.model.types.insert(name, Definition::Opaque(opaque));
            return;
        }
        let repr = representation(&item.attrs).and_then(|repr| Scalar::named(&repr));
        let (Some(repr), false) = (repr, item.variants.is_empty()) else {
            // Without values there is nothing to validate: a plain C int.
            let target = Scalar::named("c_int").map_or(Type::Void, Type::Scalar);
            let alias = crate::model::Alias { target, docs: docs(&item.attrs) };
            self.model.types.insert(name, Definition::Alias(alias));
            return;
        };
        let variants = item.variants.iter().filter_map(|variant| {
            let (_, value) = variant.discriminant.as_ref()?;
            let name = variant.ident.to_string();
            Some(Variant { name, value: integer(value)?, docs: docs(&variant.attrs) })
        });
        let mut variants: Vec<Variant> = variants.collect();
        distinguish(variants.iter_mut().map(|variant| &mut variant.name));
        let definition = Enum {
            c_name: self.tagged(&name, "enum"),
            repr,
            boolean: false,
            variants,
            synonyms: self.facts.synonyms(&name),
            docs: docs(&item.attrs),
        };
        self.model.types.insert(name, Definition::Enum(definition));
    }

    /// The C spelling of a type: by tag, else by typedef, else none.
    fn tagged(&self, name: &str, keyword: &str) -> Option<String> {
        let name = self.renamed.get(name).map_or(name, String::as_str);
        self.identifiers.spelled(name, keyword)
    }
}

/// The value that bindgen gives an enum without any.
const ONLY_DECLARED: &str = "__bindgen_cannot_repr_c_on_empty_enum";

/// Makes names differ, where Rust's escapes made two alike.
fn distinguish<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut taken = BTreeSet::new();
    for name in names {
        while !taken.insert(name.clone()) {
            name.push('_');
        }
    }
}

/// The part of `#[repr(...)]` besides `C` and `transparent`.
fn representation(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::List(list) = &attribute.meta else { return None };
        if !list.path.is_ident("repr") {
            return None;
        }
        let text: String = list.tokens.to_string().split_whitespace().collect();
        let text = text.trim_start_matches('C').trim_start_matches(',').to_owned();
        (!text.is_empty() && text != "transparent").then_some(text)
    })
}

fn integer(expression: &Expr) -> Option<i128> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            integer(&negated.expr)?.checked_neg()
        }
        _ => None,
    }
}
