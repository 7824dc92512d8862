//! Types as the generated Rust spells them, and the simple definitions.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Rust, number};
use crate::model::{Alias, Definition, Opaque, Shape, Type};
use crate::names::ident;
use crate::scalar::Scalar;

impl Rust<'_> {
    /// A type by value.
    pub(super) fn ty(self, ty: &Type) -> TokenStream {
        let model = &self.bindings.model;
        match ty {
            Type::Void | Type::Unsupported(_) => quote! { ::omniglot::Void },
            Type::Scalar(scalar) => path_of(scalar),
            Type::Pointer { to, .. } => {
                let pointee = self.ty(to);
                quote! { ::omniglot::Ptr<#pointee> }
            }
            Type::Array { of, len } => {
                let (element, len) = (self.ty(of), number(*len));
                quote! { [#element; #len] }
            }
            Type::Function(name) | Type::Named(name) => match model.signature(ty) {
                Some(signature) if signature.bound => {
                    let name = ident(name);
                    quote! { ::omniglot::FnPtr<#name> }
                }
                Some(_) => quote! { ::omniglot::Ptr<::omniglot::Void> },
                None => {
                    let name = ident(name);
                    quote! { #name }
                }
            },
        }
    }

    /// The type behind a pointer, through typedefs; `None` if it is no pointer.
    pub(super) fn pointee(self, ty: &Type) -> Option<TokenStream> {
        match self.bindings.model.types.resolve(ty) {
            Type::Pointer { to, .. } => Some(self.ty(to)),
            resolved => {
                let signature = self.bindings.model.signature(resolved)?;
                (!signature.bound).then(|| quote! { ::omniglot::Void })
            }
        }
    }

    pub(super) fn alias(self, name: &str, alias: &Alias) -> TokenStream {
        let docs = self.docs(&alias.docs, &format!("`{name}` in C."));
        let signature = self.bindings.model.signature(&alias.target);
        let new = ident(name);
        match signature {
            // A plain address, under each of its names.
            Some(signature) if !signature.bound => {
                quote! { #docs pub type #new = ::omniglot::Ptr<::omniglot::Void>; }
            }
            // The signature defines the name itself.
            Some(signature) if signature.name == name => TokenStream::new(),
            Some(_) => match &alias.target {
                Type::Named(target) | Type::Function(target) => {
                    let target = ident(target);
                    quote! { #docs pub type #new = #target; }
                }
                _ => TokenStream::new(),
            },
            // With their values, which an alias would not have.
            None if self.has_values(&alias.target) => {
                let target = self.ty(&alias.target);
                quote! { #docs pub use self::#target as #new; }
            }
            None => {
                let target = self.ty(&alias.target);
                quote! { #docs pub type #new = #target; }
            }
        }
    }

    /// Whether a type is, by its own name, an enum or a struct around its integer.
    fn has_values(self, ty: &Type) -> bool {
        let Type::Named(name) = ty else { return false };
        match self.bindings.model.types.get(name) {
            Some(Definition::Enum(_)) => true,
            Some(Definition::Record(record)) => matches!(record.shape, Shape::Newtype { .. }),
            _ => false,
        }
    }

    pub(super) fn opaque(self, name: &str, opaque: &Opaque) -> TokenStream {
        let known = format!("`{}` in C, known only behind pointers.", opaque.c_name);
        let docs = self.docs(&opaque.docs, &known);
        let name = ident(name);
        quote! {
            #docs
            #[derive(Debug)]
            pub enum #name {}
        }
    }

    /// Whether zeros are a valid value, as in C's `= {0}`.
    pub(super) fn is_zeroable(self, ty: &Type) -> bool {
        let types = &self.bindings.model.types;
        match types.resolve(ty) {
            Type::Scalar(_) | Type::Pointer { .. } | Type::Function(_) => true,
            Type::Array { of, .. } => self.is_zeroable(of),
            Type::Named(name) => match types.get(name) {
                Some(Definition::Enum(definition)) => {
                    definition.variants.iter().any(|variant| variant.value == 0)
                }
                Some(Definition::Record(record)) => self.is_record_zeroable(record),
                _ => false,
            },
            Type::Void | Type::Unsupported(_) => false,
        }
    }

    /// The zero value of a type for which [`is_zeroable`](Self::is_zeroable) holds.
    pub(super) fn zero(self, ty: &Type) -> TokenStream {
        match self.bindings.model.types.resolve(ty) {
            Type::Array { of, len } => {
                let (element, len) = (self.zero(of), number(*len));
                quote! { [#element; #len] }
            }
            _ => quote! { ::core::default::Default::default() },
        }
    }
}

/// A scalar's full path.
pub(super) fn path_of(scalar: &Scalar) -> TokenStream {
    let name = ident(scalar.rust);
    if scalar.rust.starts_with("c_") {
        quote! { ::core::ffi::#name }
    } else {
        quote! { #name }
    }
}
