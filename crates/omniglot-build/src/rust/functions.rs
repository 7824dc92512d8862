//! A method of the interface per function.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::signatures::tuple;
use super::wrappers::must_use;
use super::{Rust, number};
use crate::annotated::Null;
use crate::layout::{Frame, Member, MemberUse};
use crate::model::{Function, Parameter, Type};
use crate::names::ident;
use crate::shims::Shim;
use crate::spell;

impl Rust<'_> {
    pub(super) fn functions(self) -> TokenStream {
        let methods = (0u32..).zip(self.shims).map(|(index, shim)| self.shim(index, shim));
        quote! {
            impl<OmniglotRuntime: ::omniglot::Runtime> Api<OmniglotRuntime> {
                #(#methods)*
            }
        }
    }

    fn shim(self, index: u32, shim: &Shim<'_>) -> TokenStream {
        match shim {
            Shim::Call(function) => {
                let call = self.call(index, function);
                // An unguarded function is raised through the same shim.
                let raise = (function.raises && function.guard.is_none())
                    .then(|| self.raise(index, function));
                let wrapper = self.wrapper(function);
                let batch = function.is_batched.then(|| self.batch(index, function));
                quote! { #call #wrapper #raise #batch }
            }
            Shim::Raise(function) => self.raise(index, function),
            Shim::Address(global) => self.global(index, global),
            Shim::Malloc | Shim::Free | Shim::Batch | Shim::Function(_) | Shim::Pointer(_) => {
                TokenStream::new()
            }
        }
    }

    fn call(self, index: u32, function: &Function) -> TokenStream {
        let Some(parts) = self.parts(function) else { return TokenStream::new() };
        let Parts { parameters, fill, result, get, .. } = parts;
        let docs = self.function_docs(function);
        let name = ident(function.raw_name());
        let must_use = must_use(function);
        quote! {
            #docs
            #must_use
            pub fn #name(&mut self, #(#parameters),*) -> ::omniglot::Result<#result> {
                #fill
                ::omniglot::call(self, #index, frame.bytes_mut())?;
                #get
            }
        }
    }

    /// Calls the function many times in one crossing.
    fn batch(self, index: u32, function: &Function) -> TokenStream {
        let shims = (0u32..).zip(self.shims);
        let batch = shims.filter(|(_, shim)| matches!(shim, Shim::Batch)).map(|(index, _)| index);
        let (Some(parts), Some(batch)) = (self.parts(function), batch.last()) else {
            return TokenStream::new();
        };
        let Parts { fill, result, result_at, size, .. } = parts;
        let name = format_ident!("{}_batch", ident(&function.name));
        let names: Vec<_> =
            function.parameters.iter().map(|parameter| ident(&parameter.name)).collect();
        let types: Vec<_> =
            function.parameters.iter().map(|parameter| self.parameter_type(parameter)).collect();
        let (names, types) = (tuple(&names), tuple(&types));
        let (calls, push) = if function.parameters.is_empty() {
            let push =
                quote! { for _ in 0..calls { omniglot_batch.push(&::omniglot::Frame::new()); } };
            (quote! { calls: usize }, push)
        } else {
            let calls = quote! { calls: impl ::core::iter::IntoIterator<Item = #types> };
            (calls, quote! { for #names in calls { #fill omniglot_batch.push(&frame); } })
        };
        let (results, get) = match result_at {
            Some(offset) => {
                (quote! { ::omniglot::Vec<#result> }, quote! { omniglot_batch.results(#offset) })
            }
            None => (quote! { () }, quote! { ::core::result::Result::Ok(()) }),
        };
        let docs = format!(" Calls `{}` many times in one crossing.", function.c_name);
        quote! {
            #[doc = #docs]
            ///
            /// # Errors
            /// As one call. Those before the one that failed were made, those after it were not;
            /// all were if a result is an `InvalidValue`. `OutOfMemory` if the frames of all calls
            /// do not fit in a quarter of the memory limit.
            pub fn #name(&mut self, #calls) -> ::omniglot::Result<#results> {
                let mut omniglot_batch = ::omniglot::Batch::<#size>::new(#index);
                #push
                omniglot_batch.call(self, #batch)?;
                #get
            }
        }
    }

    /// Prepares the function to run in a callback's place.
    fn raise(self, index: u32, function: &Function) -> TokenStream {
        let Some(parts) = self.parts(function) else { return TokenStream::new() };
        let Parts { parameters, fill, .. } = parts;
        let name = format_ident!("raise_{}", ident(&function.name));
        let docs = format!(
            " Has foreign code call `{}` in a callback's place: `return Err(api.{name}(...)?)`.",
            function.c_name
        );
        quote! {
            #[doc = #docs]
            ///
            /// # Errors
            /// `OutOfMemory` if the arguments do not fit, `WrongInstance` if one is another's.
            pub fn #name(&mut self, #(#parameters),*) -> ::omniglot::Result<::omniglot::Escape> {
                #fill
                let raise = ::omniglot::Raise::prepare(
                    ::omniglot::Api::base_mut(self),
                    #index,
                    frame.bytes(),
                )?;
                ::core::result::Result::Ok(::omniglot::Escape::Raise(raise))
            }
        }
    }

    /// The C comment and the C declaration.
    pub(super) fn declared_docs(self, function: &Function) -> TokenStream {
        let model = &self.bindings.model;
        let prototype =
            spell::prototype(model, function.callee(), &function.parameters, &function.result);
        let comment = if function.docs.trim().is_empty() {
            TokenStream::new()
        } else {
            let comment = self.docs(&function.docs, "");
            quote! { #comment #[doc = ""] }
        };
        let declared = format!(" C: `{prototype}`");
        quote! { #comment #[doc = #declared] #[doc = ""] }
    }

    fn function_docs(self, function: &Function) -> TokenStream {
        let declared = self.declared_docs(function);
        let annotated = self.annotation_docs(function);
        let guard = function.guard.as_ref().map(|_| {
            quote! {
                /// `NonLocalExit` if the function was left by `longjmp`; the instance stays usable.
            }
        });
        quote! {
            #declared
            #annotated
            /// # Errors
            /// As any call of a foreign function: whatever ended it instead of a return, or
            /// `InvalidValue` if the result is no value of its type.
            #guard
        }
    }

    /// What the header's annotations say, in words.
    fn annotation_docs(self, function: &Function) -> Option<TokenStream> {
        let declared = self.bindings.model.annotations.get(&function.c_name)?;
        let parameters = function.parameters.iter().zip(&declared.parameters);
        let never_null: Vec<String> = parameters
            .filter(|(_, declared)| declared.null == Null::Never)
            .map(|(parameter, _)| format!("`{}`", parameter.name))
            .collect();
        let null = (!never_null.is_empty()).then(|| {
            let text = format!(" The header wants no null pointer for {}.", never_null.join(", "));
            quote! { #[doc = #text] #[doc = ""] }
        });
        let fresh = declared.fresh.then(|| {
            quote! {
                /// The header says that the result is new memory, which the caller frees.
                ///
            }
        });
        Some(quote! { #null #fresh })
    }

    /// What calls and raises have in common.
    fn parts(self, function: &Function) -> Option<Parts> {
        let (parameters, result) = (&function.parameters, &function.result);
        let frame = Frame::of_function(self.bindings.layouts(), parameters, result).ok()?;
        let puts = frame.members.iter().filter_map(|member| self.put(parameters, member));
        let size = number(frame.size);
        let fill = quote! {
            let mut frame = ::omniglot::Frame::<#size>::new();
            #(#puts)*
        };
        let void = self.bindings.model.types.resolve(result) == &Type::Void;
        let result_at = frame.result().map(|member| number(member.offset));
        let get = match &result_at {
            Some(offset) => quote! { frame.get(#offset) },
            None => quote! { ::core::result::Result::Ok(()) },
        };
        Some(Parts {
            parameters: parameters.iter().map(|parameter| self.parameter(parameter)).collect(),
            fill,
            result: if void {
                quote! { () }
            } else {
                self.ty(result)
            },
            get,
            result_at,
            size,
        })
    }

    pub(super) fn parameter(self, parameter: &Parameter) -> TokenStream {
        let (name, ty) = (ident(&parameter.name), self.parameter_type(parameter));
        quote! { #name: #ty }
    }

    /// What a method takes for a parameter.
    fn parameter_type(self, parameter: &Parameter) -> TokenStream {
        match self.pointee(&parameter.ty) {
            Some(pointee) => quote! { impl ::omniglot::AsPtr<#pointee> },
            None => self.ty(&parameter.ty),
        }
    }

    /// Writes an argument into the frame.
    fn put(self, parameters: &[Parameter], member: &Member) -> Option<TokenStream> {
        let MemberUse::Argument(index) = member.role else { return None };
        let parameter = parameters.get(index)?;
        let (name, offset) = (ident(&parameter.name), number(member.offset));
        Some(match self.pointee(&parameter.ty) {
            Some(_) => quote! {
                frame.put(#offset, &::omniglot::Api::base(self).address(#name)?);
            },
            None => quote! { frame.put(#offset, &#name); },
        })
    }
}

/// The pieces of a method.
struct Parts {
    parameters: Vec<TokenStream>,
    fill: TokenStream,
    result: TokenStream,
    get: TokenStream,
    /// The offset of the result; `None` if there is none.
    result_at: Option<Literal>,
    /// The frame's size.
    size: Literal,
}
