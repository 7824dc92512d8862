//! Bit-fields: a method that reads each and one that writes it.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;

use super::records::field_accessor;
use super::types::path_of;
use super::{Rust, number};
use crate::model::{BitField, Definition, Record, Shape, Type};
use crate::names::ident;
use crate::scalar::{Scalar, Target};
use crate::spell;

/// How a bit-field's number becomes a Rust value.
enum Conversion<'a> {
    Bool,
    Number(&'a Scalar),
    /// Not every number is a value.
    Enum(&'a Scalar),
    /// A struct around a number.
    Newtype(&'a Scalar),
}

impl Rust<'_> {
    pub(super) fn bit_fields(self, name: &str, record: &Record) -> TokenStream {
        let free = self.accessible_bits(record);
        let methods: Vec<_> = free.filter_map(|field| self.bit_field(record, field)).collect();
        if methods.is_empty() {
            return TokenStream::new();
        }
        let name = ident(name);
        quote! { impl #name { #(#methods)* } }
    }

    /// The bit-fields that get methods: their names are free, and their types are known.
    pub(super) fn accessible_bits(self, record: &Record) -> impl Iterator<Item = &BitField> {
        let mut taken = BTreeSet::from(["from_ne_bytes".to_owned(), "to_ne_bytes".to_owned()]);
        if matches!(record.shape, Shape::Union) {
            let fields = record.fields.iter().map(|field| field_accessor(record, &field.name));
            taken.extend(fields);
        }
        let known = record.bit_fields.iter().filter(move |field| self.kind(&field.ty).is_some());
        known.filter(move |field| {
            let names = [field_accessor(record, &field.name), format!("set_{}", field.name)];
            let free = names.iter().all(|name| !taken.contains(name));
            taken.extend(names);
            free
        })
    }

    fn bit_field(self, record: &Record, field: &BitField) -> Option<TokenStream> {
        let kind = self.kind(&field.ty)?;
        let storage = match record.shape {
            // Every member of a union starts where the union does.
            Shape::Union => ident("bytes"),
            _ => ident(&field.storage),
        };
        let getter = field_accessor(record, &field.name);
        let get = self.get_bits(field, &getter, &kind, &storage);
        let set = self.set_bits(field, &kind, &storage);
        Some(quote! { #get #set })
    }

    fn get_bits(
        self,
        field: &BitField,
        getter: &str,
        kind: &Conversion<'_>,
        storage: &syn::Ident,
    ) -> TokenStream {
        let (name, ty) = (ident(getter), self.ty(&field.ty));
        let docs = format!(" The bit-field `{}`.", self.declare_bits(field));
        let (offset, width) = (number(field.offset), number(field.width));
        let signed = kind.is_signed(&self.bindings.target);
        let bits = quote! { ::omniglot::get_bits(&self.#storage, #offset, #width, #signed) };
        let (result, body, errors) = match kind {
            Conversion::Bool => (ty, quote! { #bits != 0 }, TokenStream::new()),
            Conversion::Number(_) => (quote! { #ty }, quote! { #bits as #ty }, TokenStream::new()),
            Conversion::Newtype(scalar) => {
                let integer = path_of(scalar);
                (quote! { #ty }, quote! { #ty(#bits as #integer) }, TokenStream::new())
            }
            Conversion::Enum(scalar) => {
                let (integer, size) = (path_of(scalar), number(scalar.size(&self.bindings.target)));
                let body = quote! {
                    let mut frame = ::omniglot::Frame::<#size>::new();
                    frame.put(0, &(#bits as #integer));
                    frame.get(0)
                };
                let errors = quote! {
                    ///
                    /// # Errors
                    /// `InvalidValue` if the bits are no value of its type.
                };
                (quote! { ::omniglot::Result<#ty> }, body, errors)
            }
        };
        quote! {
            #[doc = #docs]
            #errors
            pub fn #name(&self) -> #result { #body }
        }
    }

    fn set_bits(
        self,
        field: &BitField,
        kind: &Conversion<'_>,
        storage: &syn::Ident,
    ) -> TokenStream {
        let name = ident(&format!("set_{}", field.name));
        let ty = self.ty(&field.ty);
        let docs = format!(" Writes the bit-field `{}`.", self.declare_bits(field));
        let (offset, width) = (number(field.offset), number(field.width));
        let declared = spell::declare(&self.bindings.model, &field.ty, "");
        let type_name = format!("{declared} : {}", field.width);
        let signed = kind.is_signed(&self.bindings.target);
        let value = match kind {
            Conversion::Newtype(_) => quote! { value.0 },
            Conversion::Bool | Conversion::Number(_) | Conversion::Enum(_) => quote! { value },
        };
        quote! {
            #[doc = #docs]
            ///
            /// # Errors
            /// `InvalidValue` if the value does not fit.
            pub fn #name(&mut self, value: #ty) -> ::omniglot::Result<()> {
                ::omniglot::put_bits(
                    &mut self.#storage, #offset, #width, #signed, #value as i128, #type_name,
                )
            }
        }
    }

    /// `int b : 5`, as in C.
    fn declare_bits(self, field: &BitField) -> String {
        let declared = spell::declare(&self.bindings.model, &field.ty, &field.name);
        format!("{declared} : {}", field.width)
    }

    fn kind<'a>(&'a self, ty: &'a Type) -> Option<Conversion<'a>> {
        let types = &self.bindings.model.types;
        match (types.resolve(ty), types.named(ty)) {
            (Type::Scalar(scalar), _) if scalar.rust == "bool" => Some(Conversion::Bool),
            (Type::Scalar(scalar), _) => Some(Conversion::Number(scalar)),
            (_, Some(Definition::Enum(definition))) => Some(Conversion::Enum(definition.repr)),
            (_, Some(Definition::Record(record))) => {
                match types.resolve(&record.fields.first()?.ty) {
                    Type::Scalar(scalar) if matches!(record.shape, Shape::Newtype { .. }) => {
                        Some(Conversion::Newtype(scalar))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Conversion<'_> {
    fn is_signed(&self, target: &Target) -> bool {
        match self {
            Self::Bool => false,
            Self::Number(scalar) | Self::Enum(scalar) | Self::Newtype(scalar) => {
                scalar.is_signed(target)
            }
        }
    }
}
