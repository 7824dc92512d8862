//! Handles: a type for each kind of object that the host can own, and how one is destroyed.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Rust, number};
use crate::layout::Frame;
use crate::model::{Owned, Type};
use crate::names::ident;
use crate::shims::Shim;
use crate::spell;

impl Rust<'_> {
    pub(super) fn handles(self) -> Vec<TokenStream> {
        let handles = self.bindings.model.handles.iter();
        handles.filter_map(|owned| self.handle(owned)).collect()
    }

    fn handle(self, owned: &Owned) -> Option<TokenStream> {
        let model = &self.bindings.model;
        let (index, function) = (0u32..).zip(self.shims).find_map(|(index, shim)| match shim {
            Shim::Call(function) if function.c_name == owned.destructor => Some((index, *function)),
            _ => None,
        })?;
        let (parameters, result) = (&function.parameters, &function.result);
        let frame = Frame::of_function(self.bindings.layouts(), parameters, result).ok()?;
        let size = number(frame.size);
        let (closed, get) = match frame.result() {
            Some(member) => {
                let offset = number(member.offset);
                (self.ty(result), quote! { frame.get(#offset) })
            }
            None => (quote! { () }, quote! { ::core::result::Result::Ok(()) }),
        };
        let c_name = spell::name_in_c(model, &owned.ty);
        let docs = format!(
            " Owns an object of type `{c_name}`, which `{}` destroys: when the handle is dropped, before the next \
             call; or at once, by `close`.",
            function.c_name
        );
        let (name, ty) = (ident(&owned.name), self.ty(&Type::Named(owned.ty.clone())));
        Some(quote! {
            #[doc = #docs]
            pub type #name = ::omniglot::Handle<#ty>;
            impl ::omniglot::Object for #ty {
                const NAME: &'static str = #c_name;
                const DESTRUCTOR: u32 = #index;
                type Closed = #closed;
                type Frame = ::omniglot::Frame<#size>;
                fn closed(frame: &Self::Frame) -> ::omniglot::Result<Self::Closed> {
                    #get
                }
            }
        })
    }

    /// The handle for what a pointer points to.
    pub(super) fn handle_to(self, pointer: &Type) -> Option<TokenStream> {
        let types = &self.bindings.model.types;
        let Type::Pointer { to, .. } = types.resolve(pointer) else { return None };
        let Type::Named(pointee) = types.resolve(to) else { return None };
        let owned = self.bindings.model.handles.iter().find(|owned| &owned.ty == pointee)?;
        let name = ident(&owned.name);
        Some(quote! { #name })
    }
}
