//! Function pointer types: a marker type each, with its frame's layout.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};

use super::{Rust, number};
use crate::layout::{Frame, MemberUse};
use crate::model::{Signature, Type};
use crate::names::ident;
use crate::shims::Shim;
use crate::spell;

impl Rust<'_> {
    pub(super) fn signatures(self) -> Vec<TokenStream> {
        let addresses = self.bindings.addresses();
        let callers = (0u32..).zip(self.shims).filter_map(|(index, shim)| match shim {
            Shim::Pointer(signature) => Some((index, *signature)),
            _ => None,
        });
        let numbered = (0u32..).zip(callers);
        numbered
            .filter_map(|(place, (caller, signature))| {
                self.signature(signature, place * addresses, caller)
            })
            .collect()
    }

    fn signature(self, signature: &Signature, first: u32, caller: u32) -> Option<TokenStream> {
        let parameters = &signature.parameters;
        let frame =
            Frame::of_signature(self.bindings.layouts(), parameters, &signature.result).ok()?;
        let (name, text) = (ident(&signature.name), &signature.name);
        let docs = self.signature_docs(signature);
        let (slots, addresses) = (self.bindings.options.callback_slots, self.bindings.addresses());
        let size = number(frame.size);
        let types: Vec<_> = parameters.iter().map(|parameter| self.ty(&parameter.ty)).collect();
        let arguments = tuple(&types);
        let result = match self.bindings.model.types.resolve(&signature.result) {
            Type::Void => quote! { () },
            _ => self.ty(&signature.result),
        };
        let (offset, length) = frame.result().map_or((0, 0), |member| (member.offset, member.size));
        let (offset, length) = (number(offset), number(length));
        let functions = self.functions_of(signature);
        let methods = self.signature_methods(signature, &frame);
        Some(quote! {
            #docs
            #[derive(Debug)]
            pub enum #name {}
            impl ::omniglot::Signature for #name {
                const NAME: &'static str = #text;
                const FIRST_SLOT: u32 = #first;
                const SLOTS: u32 = #slots;
                const ADDRESSES: u32 = #addresses;
                const CALLER: u32 = #caller;
                #functions
                type Arguments = #arguments;
                type Return = #result;
                type Frame = ::omniglot::Frame<#size>;
                const RETURN_OFFSET: usize = #offset;
                const RETURN_SIZE: usize = #length;
                #methods
            }
        })
    }

    /// The library's functions that such a pointer can point to.
    fn functions_of(self, signature: &Signature) -> TokenStream {
        let functions = self.pointers.of(signature).iter();
        let functions: Vec<_> = functions.map(|(name, index)| quote! { (#name, #index) }).collect();
        if functions.is_empty() {
            return TokenStream::new();
        }
        quote! { const FUNCTIONS: &'static [(&'static str, u32)] = &[#(#functions),*]; }
    }

    fn signature_docs(self, signature: &Signature) -> TokenStream {
        let model = &self.bindings.model;
        let pointer = format!("(*{})", signature.name);
        let prototype = spell::prototype(model, &pointer, &signature.parameters, &signature.result);
        let docs = self.docs(&signature.docs, "A C function pointer's type, for `FnPtr`.");
        let declared = format!(" C: `{prototype}`");
        quote! { #docs #[doc = ""] #[doc = #declared] }
    }

    fn signature_methods(self, signature: &Signature, frame: &Frame) -> TokenStream {
        let arguments: Vec<_> = frame
            .members
            .iter()
            .filter_map(|member| match member.role {
                MemberUse::Argument(index) => Some((index, number(member.offset))),
                MemberUse::Result | MemberUse::Function => None,
            })
            .collect();
        let offsets: Vec<_> = arguments.iter().map(|(_, offset)| offset).collect();
        let names: Vec<_> =
            arguments.iter().map(|(index, _)| format_ident!("argument_{index}")).collect();
        let pattern = tuple(&names);
        let values = match offsets.as_slice() {
            [one] => quote! { frame.get(#one) },
            several => quote! { ::core::result::Result::Ok((#(frame.get(#several)?),*)) },
        };
        let function = frame.members.iter().find(|member| member.role == MemberUse::Function);
        let function = number(function.map_or(0, |member| member.offset));
        let (put_return, get_return) = match frame.result() {
            Some(member) => {
                let offset = number(member.offset);
                (quote! { frame.put(#offset, value); }, quote! { frame.get(#offset) })
            }
            None => (quote! {}, quote! { ::core::result::Result::Ok(()) }),
        };
        let name = ident(&signature.name);
        quote! {
            fn arguments(frame: &Self::Frame) -> ::omniglot::Result<Self::Arguments> {
                #values
            }
            fn put_return(frame: &mut Self::Frame, value: &Self::Return) {
                #put_return
            }
            fn put_call(
                frame: &mut Self::Frame,
                function: ::omniglot::FnPtr<#name>,
                arguments: &Self::Arguments,
            ) {
                let #pattern = arguments;
                #(frame.put(#offsets, #names);)*
                frame.put(#function, &function);
            }
            fn get_return(frame: &Self::Frame) -> ::omniglot::Result<Self::Return> {
                #get_return
            }
        }
    }
}

/// What closures get for a signature's parameters: one as it is, none or several as a tuple.
pub(super) fn tuple(parts: &[impl ToTokens]) -> TokenStream {
    match parts {
        [one] => quote! { #one },
        _ => quote! { (#(#parts),*) },
    }
}
