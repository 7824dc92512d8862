//! Structs and unions.

use std::collections::BTreeSet;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Rust, number};
use crate::model::{Field, Record, Shape, Variant};
use crate::names::{self, ident};

impl Rust<'_> {
    pub(super) fn record(self, name: &str, record: &Record) -> TokenStream {
        match &record.shape {
            Shape::Struct { .. } if record.size == 0 => self.nothing(name, record),
            Shape::Struct { modifier } => self.structure(name, record, modifier.as_deref()),
            Shape::Union => self.bytes(name, record, true),
            Shape::Bytes => self.bytes(name, record, false),
            Shape::Newtype { values, is_flags } => self.newtype(name, record, values, *is_flags),
        }
    }

    pub(super) fn is_record_zeroable(self, record: &Record) -> bool {
        match record.shape {
            Shape::Struct { .. } => record.fields.iter().all(|field| self.is_zeroable(&field.ty)),
            Shape::Union | Shape::Bytes | Shape::Newtype { .. } => true,
        }
    }

    /// A struct without size, which GNU C allows and no value can cross as.
    fn nothing(self, name: &str, record: &Record) -> TokenStream {
        let docs = self.record_docs(name, record);
        let name = ident(name);
        quote! { #docs #[derive(Debug)] pub enum #name {} }
    }

    fn structure(self, name: &str, record: &Record, modifier: Option<&str>) -> TokenStream {
        let docs = self.record_docs(name, record);
        let modifier: TokenStream =
            modifier.and_then(|modifier| modifier.parse().ok()).unwrap_or_default();
        // Runs of bit-fields and explicit padding hold bits that mean nothing.
        let has_padding = record.fields.iter().any(|field| is_invented(&field.name));
        let derives = derives(if has_padding { &[] } else { &["Debug"] });
        let debug = has_padding.then(|| self.debug_of_fields(name, record));
        let fields = record.fields.iter().map(|field| self.field(field));
        let foreign = self.struct_is_foreign(name, record);
        let default = self.default(name, record);
        let constants = self.field_constants(name, record);
        let bit_fields = self.bit_fields(name, record);
        let name = ident(name);
        quote! {
            #docs
            #[repr(C, #modifier)]
            #derives
            pub struct #name { #(#fields),* }
            #debug
            #foreign
            #default
            #bit_fields
            #constants
        }
    }

    /// Shows the fields that C names, and each bit-field, but no padding.
    fn debug_of_fields(self, name: &str, record: &Record) -> TokenStream {
        let named = record.fields.iter().filter(|field| !is_invented(&field.name));
        let fields = named.map(|field| {
            let (text, value) = (&field.name, self.field_value(record, field));
            quote! { .field(#text, #value) }
        });
        let bits = self.accessible_bits(record).map(|field| {
            let (text, getter) = (&field.name, ident(&field_accessor(record, &field.name)));
            quote! { .field(#text, &self.#getter()) }
        });
        let (text, name) = (name, ident(name));
        quote! {
            impl ::core::fmt::Debug for #name {
                fn fmt(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    out.debug_struct(#text) #(#fields)* #(#bits)* .finish()
                }
            }
        }
    }

    fn record_docs(self, name: &str, record: &Record) -> TokenStream {
        let name = record.c_name.as_deref().unwrap_or(name);
        self.docs(&record.docs, &format!("`{name}` in C."))
    }

    fn field(self, field: &Field) -> TokenStream {
        let otherwise = match &field.c_name {
            Some(name) => format!("`{name}` in C."),
            None if field.name.starts_with("_bitfield_") => {
                "Bit-fields, as C packs them.".to_owned()
            }
            None => "Has no name in C.".to_owned(),
        };
        let docs = self.docs(&field.docs, &otherwise);
        let (name, ty) = (ident(&field.name), self.ty(&field.ty));
        quote! { #docs pub #name: #ty }
    }

    /// A reference to a field's value: a copy of it, since packed fields have no address, unless
    /// it is too large for that and has one.
    fn field_value(self, record: &Record, field: &Field) -> TokenStream {
        let (layouts, name) = (self.bindings.layouts(), ident(&field.name));
        let has_address = layouts.of(&field.ty).is_ok_and(|layout| layout.align <= record.align);
        if has_address && layouts.is_large(&field.ty) {
            quote! { &self.#name }
        } else {
            quote! { &{ self.#name } }
        }
    }

    /// `Foreign`, field by field.
    fn struct_is_foreign(self, name: &str, record: &Record) -> TokenStream {
        let c_name = record.c_name.as_deref().unwrap_or(name);
        let fields: Vec<_> = record.fields.iter().map(|field| ident(&field.name)).collect();
        let puts = record.fields.iter().map(|field| {
            let (name, value) = (ident(&field.name), self.field_value(record, field));
            quote! { ::omniglot::encode_field(#value, out, ::core::mem::offset_of!(Self, #name)); }
        });
        let types = record.fields.iter().map(|field| self.ty(&field.ty));
        let name = ident(name);
        quote! {
            impl ::omniglot::Foreign for #name {
                const NAME: &'static str = #c_name;
                fn encode(&self, out: &mut [u8]) {
                    #(#puts)*
                }
                fn explain(bytes: &[u8]) -> ::omniglot::InvalidValue {
                    ::core::option::Option::None
                        #(.or_else(|| ::omniglot::explain_field::<#types>(
                            bytes,
                            ::core::mem::offset_of!(Self, #fields),
                        )))*
                        .unwrap_or_else(|| ::omniglot::Bits::of(bytes).invalid::<Self>(&[]))
                }
            }
        }
    }

    /// Zeros, where they are valid, as C's `= {0}`.
    fn default(self, name: &str, record: &Record) -> TokenStream {
        if !self.is_record_zeroable(record) {
            return TokenStream::new();
        }
        let fields = record.fields.iter().map(|field| ident(&field.name));
        let zeros = record.fields.iter().map(|field| self.zero(&field.ty));
        let name = ident(name);
        quote! {
            impl ::core::default::Default for #name {
                /// Zeros, as `= {0}` in C.
                fn default() -> Self {
                    Self { #(#fields: #zeros),* }
                }
            }
        }
    }

    /// One `Field` per field that a checked reference can be projected to.
    fn field_constants(self, name: &str, record: &Record) -> TokenStream {
        let mut taken = BTreeSet::new();
        let layouts = self.bindings.layouts();
        let owner = ident(name);
        let constants = record.fields.iter().filter_map(|field| {
            let (offset, layout) = (field.offset?, layouts.of(&field.ty).ok()?);
            let aligned = offset % layout.align == 0 && layout.align <= record.align;
            let upper = names::upper_snake(&field.name);
            if is_invented(&field.name) || !aligned || !taken.insert(upper.clone()) {
                return None;
            }
            let docs = format!(" Where the field `{}` is.", field.name);
            let (upper, ty, offset) = (ident(&upper), self.ty(&field.ty), number(offset));
            Some(quote! {
                #[doc = #docs]
                pub const #upper: ::omniglot::Field<#owner, #ty> = ::omniglot::Field::new(#offset);
            })
        });
        quote! { impl #owner { #(#constants)* } }
    }

    /// A union, or a struct that Rust cannot express: bytes of its size and alignment.
    fn bytes(self, name: &str, record: &Record, is_union: bool) -> TokenStream {
        if record.size == 0 {
            return self.nothing(name, record);
        }
        let docs = self.record_docs(name, record);
        let derives = derives(&[]);
        let debug = debug_of_bytes(name);
        let size = number(record.size);
        // A packed struct can hold bytes that have no alignment of their own.
        let align = (record.align > 1).then(|| {
            let align = number(record.align);
            quote! { , align(#align) }
        });
        let foreign = self.bytes_are_foreign(name, record);
        let accessors = if is_union { self.accessors(record) } else { TokenStream::new() };
        let bit_fields = if is_union { self.bit_fields(name, record) } else { TokenStream::new() };
        let constants = self.field_constants(name, record);
        let name = ident(name);
        quote! {
            #docs
            #[repr(C #align)]
            #derives
            pub struct #name { bytes: [u8; #size] }
            #debug
            #foreign
            impl #name {
                /// Takes these bytes as they are.
                #[must_use]
                pub const fn from_ne_bytes(bytes: [u8; #size]) -> Self {
                    Self { bytes }
                }
                /// The bytes as they are.
                #[must_use]
                pub const fn to_ne_bytes(self) -> [u8; #size] {
                    self.bytes
                }
                #accessors
            }
            impl ::core::default::Default for #name {
                /// Zeros, as `= {0}` in C.
                fn default() -> Self {
                    Self { bytes: [0; #size] }
                }
            }
            #bit_fields
            #constants
        }
    }

    fn bytes_are_foreign(self, name: &str, record: &Record) -> TokenStream {
        let c_name = record.c_name.as_deref().unwrap_or(name);
        let name = ident(name);
        quote! {
            impl ::omniglot::Foreign for #name {
                const NAME: &'static str = #c_name;
                fn encode(&self, out: &mut [u8]) {
                    ::omniglot::encode_field(&self.bytes, out, 0);
                }
            }
        }
    }

    /// For each field of a union: read it, or make a union of it.
    fn accessors(self, record: &Record) -> TokenStream {
        let layouts = self.bindings.layouts();
        let mut taken = BTreeSet::from(["from_ne_bytes".to_owned()]);
        let accessible = record.fields.iter().filter(|field| {
            let names = [field_accessor(record, &field.name), format!("from_{}", field.name)];
            let free = names.iter().all(|name| !taken.contains(name));
            taken.extend(names);
            free && layouts.of(&field.ty).is_ok() && !layouts.is_large(&field.ty)
        });
        let accessors = accessible.map(|field| self.accessor(record, field));
        quote! { #(#accessors)* }
    }

    fn accessor(self, record: &Record, field: &Field) -> TokenStream {
        let ty = self.ty(&field.ty);
        let reads = format!(" The bytes as the field `{}`.", field.name);
        let makes =
            format!(" A union that holds its field `{}`; the other bytes are zero.", field.name);
        let (get, make) =
            (ident(&field_accessor(record, &field.name)), ident(&format!("from_{}", field.name)));
        quote! {
            #[doc = #reads]
            ///
            /// # Errors
            /// `InvalidValue` if the bytes are no value of the field's type.
            pub fn #get(&self) -> ::omniglot::Result<#ty> {
                ::omniglot::decode_field(&self.bytes, 0)
            }
            #[doc = #makes]
            #[must_use]
            pub fn #make(value: #ty) -> Self {
                let mut union = Self::default();
                ::omniglot::encode_field(&value, &mut union.bytes, 0);
                union
            }
        }
    }

    /// An enum as a struct around its integer: any bits are valid.
    fn newtype(
        self,
        name: &str,
        record: &Record,
        values: &[Variant],
        is_flags: bool,
    ) -> TokenStream {
        let docs = self.record_docs(name, record);
        let Some(field) = record.fields.first() else { return TokenStream::new() };
        let (c_name, ty) = (record.c_name.as_deref().unwrap_or(name), self.ty(&field.ty));
        let derives = derives(&["Debug", "Eq", "Hash", "Default"]);
        let name = ident(name);
        let values = values.iter().map(|value| {
            let docs = self.docs(&value.docs, &format!("`{}` in C.", value.c_name));
            let (own, value) = (ident(&value.name), Literal::i128_unsuffixed(value.value));
            quote! { #docs pub const #own: #name = #name(#value); }
        });
        let operators = if is_flags { operators(&name) } else { TokenStream::new() };
        quote! {
            #docs
            #[repr(transparent)]
            #derives
            pub struct #name(pub #ty);
            impl #name { #(#values)* }
            #operators
            impl ::omniglot::Foreign for #name {
                const NAME: &'static str = #c_name;
                fn encode(&self, out: &mut [u8]) {
                    ::omniglot::encode_field(&self.0, out, 0);
                }
            }
        }
    }
}

/// `|` and `&`, for flags.
fn operators(name: &syn::Ident) -> TokenStream {
    quote! {
        impl ::core::ops::BitOr<#name> for #name {
            type Output = Self;
            #[inline]
            fn bitor(self, other: Self) -> Self {
                #name(self.0 | other.0)
            }
        }
        impl ::core::ops::BitOrAssign for #name {
            #[inline]
            fn bitor_assign(&mut self, rhs: #name) {
                self.0 |= rhs.0;
            }
        }
        impl ::core::ops::BitAnd<#name> for #name {
            type Output = Self;
            #[inline]
            fn bitand(self, other: Self) -> Self {
                #name(self.0 & other.0)
            }
        }
        impl ::core::ops::BitAndAssign for #name {
            #[inline]
            fn bitand_assign(&mut self, rhs: #name) {
                self.0 &= rhs.0;
            }
        }
    }
}

/// An accessor must not collide with its other methods, nor with the constants that say
/// where fields are.
pub(super) fn field_accessor(record: &Record, field: &str) -> String {
    let is_constant = |other: &Field| names::upper_snake(&other.name) == field;
    match field {
        _ if record.fields.iter().any(is_constant) => format!("{field}_"),
        "from_ne_bytes" | "to_ne_bytes" | "default" | "clone" | "encode" | "explain" => {
            format!("{field}_")
        }
        _ => field.to_owned(),
    }
}

/// Whether a field is none of the header's: padding, or the bytes of bit-fields.
fn is_invented(field: &str) -> bool {
    ["_bitfield_", "_omniglot_"].iter().any(|prefix| field.starts_with(prefix))
}

/// Of a union, or of bytes, nobody knows which are padding.
fn debug_of_bytes(name: &str) -> TokenStream {
    let (text, name) = (name, ident(name));
    quote! {
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                out.debug_struct(#text).finish_non_exhaustive()
            }
        }
    }
}

/// What every type of the library has; validity comes from zerocopy.
/// `more` are further traits.
pub(super) fn derives(more: &[&str]) -> TokenStream {
    let more = more.iter().map(|name| ident(name));
    let path = Literal::string("::omniglot::zerocopy");
    quote! {
        #[derive(
            Clone, Copy, PartialEq, #(#more,)*
            ::omniglot::zerocopy::TryFromBytes,
            ::omniglot::zerocopy::KnownLayout,
            ::omniglot::zerocopy::Immutable,
        )]
        #[zerocopy(crate = #path)]
    }
}
