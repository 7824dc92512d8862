//! C enums as Rust enums: only their values are valid.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::Rust;
use super::records::derives;
use super::types::path_of;
use crate::model::Enum;
use crate::names::ident;

/// Up to this many values are listed in messages.
const LISTED: usize = 32;

impl Rust<'_> {
    pub(super) fn enumeration(self, name: &str, definition: &Enum) -> TokenStream {
        let c_name = definition.c_name.as_deref().unwrap_or(name);
        let docs = self.docs(&definition.docs, &format!("`{c_name}` in C."));
        let derives = derives(&["Debug", "Eq", "Hash"]);
        let representation = ident(definition.repr.rust);
        let integer = path_of(definition.repr);
        let variants = definition.variants.iter().map(|variant| {
            let docs =
                self.docs(&variant.docs, &format!("`{} = {}` in C.", variant.name, variant.value));
            let (name, value) = (ident(&variant.name), Literal::i128_unsuffixed(variant.value));
            quote! { #docs #name = #value }
        });
        let all = definition.variants.iter().map(|variant| Literal::i128_unsuffixed(variant.value));
        let valid = if definition.variants.len() > LISTED {
            quote! {}
        } else {
            quote! { #(#all),* }
        };
        let default = self.enum_default(name, definition);
        let synonyms = self.synonyms(name, definition);
        let boolean = if definition.boolean { boolean(name) } else { TokenStream::new() };
        let name = ident(name);
        quote! {
            #docs
            #[repr(#representation)]
            #derives
            pub enum #name { #(#variants),* }
            #synonyms
            impl ::omniglot::Foreign for #name {
                const NAME: &'static str = #c_name;
                fn encode(&self, out: &mut [u8]) {
                    ::omniglot::encode_field(&(*self as #integer), out, 0);
                }
                fn explain(bytes: &[u8]) -> ::omniglot::InvalidValue {
                    ::omniglot::Bits::of(bytes).invalid::<Self>(&[#valid])
                }
            }
            #default
            #boolean
        }
    }

    /// C's other names for the same value.
    fn synonyms(self, name: &str, definition: &Enum) -> TokenStream {
        if definition.synonyms.is_empty() {
            return TokenStream::new();
        }
        let name = ident(name);
        let synonyms = definition.synonyms.iter().map(|(new, old)| {
            let docs = format!(" Another name of `{old}`.");
            let (new, old) = (ident(new), ident(old));
            quote! { #[doc = #docs] pub const #new: Self = Self::#old; }
        });
        quote! { impl #name { #(#synonyms)* } }
    }

    /// The value 0, where there is one, as C's `= {0}`.
    fn enum_default(self, name: &str, definition: &Enum) -> TokenStream {
        let name = ident(name);
        let zero = definition.variants.iter().find(|variant| variant.value == 0);
        let default = zero.map(|variant| {
            let variant = ident(&variant.name);
            quote! {
                impl ::core::default::Default for #name {
                    /// The value 0, as `= {0}` in C.
                    fn default() -> Self {
                        Self::#variant
                    }
                }
            }
        });
        default.unwrap_or_default()
    }
}

/// Conversions from and to `bool`.
fn boolean(name: &str) -> TokenStream {
    let name = ident(name);
    quote! {
        impl ::core::convert::From<bool> for #name {
            fn from(value: bool) -> Self {
                if value { Self::TRUE } else { Self::FALSE }
            }
        }
        impl ::core::convert::From<#name> for bool {
            fn from(value: #name) -> Self {
                value == #name::TRUE
            }
        }
        impl ::core::cmp::PartialEq<bool> for #name {
            fn eq(&self, other: &bool) -> bool {
                bool::from(*self) == *other
            }
        }
    }
}
