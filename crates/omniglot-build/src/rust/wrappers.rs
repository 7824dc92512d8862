//! Idiomatic wrappers: slices, strings and results around a plain call in a scope.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{Rust, number};
use crate::model::{Function, Parameter, Role, Status, Type, Wrapping};
use crate::names::ident;
use crate::wrapper::{Direction, Success};

/// What a wrapper does with one parameter.
#[derive(Default)]
struct Piece {
    /// The wrapper's own parameter.
    parameter: Option<TokenStream>,
    /// Before the call.
    before: TokenStream,
    /// The plain call's argument.
    argument: TokenStream,
    /// After the call, also if it failed.
    claim: TokenStream,
    /// After a successful call.
    after: TokenStream,
    /// What the wrapper returns of it: value and type.
    result: Option<(TokenStream, TokenStream)>,
}

impl Rust<'_> {
    pub(super) fn wrapper(self, function: &Function) -> TokenStream {
        let Some(wrapping) = &function.wrapping else { return TokenStream::new() };
        let pieces = self.pieces(function, wrapping);
        let docs = self.wrapper_docs(function, wrapping);
        let (name, raw) = (ident(&function.name), ident(&wrapping.raw_name));
        let parameters = pieces.iter().filter_map(|piece| piece.parameter.as_ref());
        let before = pieces.iter().map(|piece| &piece.before);
        let arguments = pieces.iter().map(|piece| &piece.argument);
        let claims = pieces.iter().map(|piece| &piece.claim);
        let after = pieces.iter().map(|piece| &piece.after);
        let adopt = wrapping.makes.then(|| {
            quote! { let omniglot_result = ::omniglot::Handle::adopt(&**omniglot_scope, omniglot_result)?; }
        });
        let status = self.status(function, wrapping.status.as_ref());
        let results: Vec<_> = self
            .own_result(function, wrapping)
            .into_iter()
            .chain(pieces.iter().filter_map(|piece| piece.result.clone()))
            .collect();
        let (value, ty) = joined(&results);
        let in_scope = quote! {
            ::omniglot::scope(self, |omniglot_scope| {
                #(#before)*
                let omniglot_result = omniglot_scope.#raw(#(#arguments),*)?;
                #adopt
                #(#claims)*
                #status
                #(#after)*
                ::core::result::Result::Ok(#value)
            })
        };
        let (ty, body) = match wrapping.text_limit {
            None => (ty, in_scope),
            Some(limit) => (quote! { ::omniglot::View<'_, str> }, in_view(&in_scope, limit)),
        };
        let must_use = must_use(function);
        quote! {
            #docs
            #must_use
            pub fn #name(&mut self, #(#parameters),*) -> ::omniglot::Result<#ty> { #body }
        }
    }

    fn wrapper_docs(self, function: &Function, wrapping: &Wrapping) -> TokenStream {
        let declared = self.declared_docs(function);
        let plain = format!(" The plain function is [`Self::{}`].", wrapping.raw_name);
        let status = wrapping.status.as_ref().map(|_| {
            quote! {
                /// `Status` if it says that it failed.
            }
        });
        quote! {
            #declared
            #[doc = #plain]
            ///
            /// # Errors
            /// As any call of a foreign function; `OutOfMemory` if what it gets does not fit
            /// into foreign memory; `LengthMismatch` or `TooLarge` for impossible lengths.
            #status
        }
    }

    fn pieces(self, function: &Function, wrapping: &Wrapping) -> Vec<Piece> {
        let parameters = function.parameters.iter().zip(&wrapping.roles);
        let pieces = parameters.enumerate().map(|(index, (parameter, role))| {
            let place = format_ident!("omniglot_place_{index}");
            match role {
                Role::Plain => self.plain(parameter),
                Role::Nullable => self.nullable(parameter),
                Role::Str { optional } => self.text(parameter, &place, "str", *optional),
                Role::CStr { optional } => self.text(parameter, &place, "c_str", *optional),
                Role::Out { value, owned: false } => self.out(parameter, &place, value),
                Role::Out { value, owned: true } => self.made(parameter, &place, value),
                Role::Length { slices, returned } => {
                    self.length(function, wrapping, index, slices, *returned)
                }
                Role::Slice { direction, element, fixed, optional } => {
                    let count = returned_length(wrapping, index);
                    let slice =
                        Slice { direction: *direction, fixed: *fixed, optional: *optional, count };
                    self.slice(parameter, &place, element, &slice)
                }
            }
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        // Lengths first: what was written must be known before it is copied out.
        let lengths = wrapping.roles.iter().map(|role| matches!(role, Role::Length { .. }));
        let mut after = TokenStream::new();
        for (piece, _) in pieces.iter_mut().zip(lengths).filter(|(_, is_length)| *is_length) {
            after.extend(std::mem::take(&mut piece.after));
        }
        if let Some(first) = pieces.first_mut() {
            let own = std::mem::take(&mut first.after);
            first.after = quote! { #after #own };
        }
        pieces
    }

    fn plain(self, parameter: &Parameter) -> Piece {
        let name = ident(&parameter.name);
        Piece {
            parameter: Some(self.parameter(parameter)),
            argument: quote! { #name },
            ..Piece::default()
        }
    }

    /// A pointer for which `None` is null.
    fn nullable(self, parameter: &Parameter) -> Piece {
        let name = ident(&parameter.name);
        let (ty, argument) = match self.pointee(&parameter.ty) {
            Some(pointee) => (quote! { ::omniglot::Ptr<#pointee> }, quote! { #name }),
            None => (self.ty(&parameter.ty), quote! { #name.unwrap_or(::omniglot::FnPtr::null()) }),
        };
        let parameter = Some(quote! { #name: ::core::option::Option<#ty> });
        Piece { parameter, argument, ..Piece::default() }
    }

    /// A pointer to where the address of a new object is stored. The object is owned at once, so it
    /// is also destroyed if the status says that the function failed.
    fn made(self, parameter: &Parameter, place: &Ident, value: &Type) -> Piece {
        let out = self.out(parameter, place, value);
        let made = format_ident!("{place}_value");
        Piece {
            claim: quote! {
                let #made = ::omniglot::Handle::adopt(
                    &**omniglot_scope,
                    omniglot_scope.read(omniglot_scope.upgrade(#place)?)?,
                );
            },
            after: quote! { let #made = #made?; },
            result: Some((quote! { #made }, self.handle_to(value).unwrap_or_default())),
            ..out
        }
    }

    fn text(self, parameter: &Parameter, place: &Ident, method: &str, optional: bool) -> Piece {
        let name = ident(&parameter.name);
        let ty = if method == "str" {
            quote! { &str }
        } else {
            quote! { &::core::ffi::CStr }
        };
        let method = ident(method);
        let (ty, before) = if optional {
            let before = quote! {
                let #place = match #name {
                    ::core::option::Option::Some(omniglot_text) => omniglot_scope.#method(omniglot_text)?,
                    ::core::option::Option::None => ::omniglot::Ptr::null(),
                };
            };
            (quote! { ::core::option::Option<#ty> }, before)
        } else {
            (ty, quote! { let #place = omniglot_scope.#method(#name)?; })
        };
        Piece {
            parameter: Some(quote! { #name: #ty }),
            before,
            argument: quote! { #place },
            ..Piece::default()
        }
    }

    fn out(self, parameter: &Parameter, place: &Ident, value: &Type) -> Piece {
        let (ty, pointee) = (self.ty(value), self.pointee(&parameter.ty));
        let result = format_ident!("{place}_value");
        Piece {
            before: quote! { let #place = omniglot_scope.zeroed::<#ty>(1)?.as_ptr(); },
            argument: quote! { #place.cast::<#pointee>() },
            after: quote! { let #result = omniglot_scope.read(omniglot_scope.upgrade(#place)?)?; },
            result: Some((quote! { #result }, ty)),
            ..Piece::default()
        }
    }

    fn length(
        self,
        function: &Function,
        wrapping: &Wrapping,
        index: usize,
        slices: &[usize],
        returned: bool,
    ) -> Piece {
        let lengths = slices.iter().filter_map(|slice| {
            let parameter = function.parameters.get(*slice)?;
            Some(length_of(parameter, wrapping.roles.get(*slice)?))
        });
        let mut lengths = lengths;
        let (Some(first), Some(parameter)) = (lengths.next(), function.parameters.get(index))
        else {
            return Piece::default();
        };
        let count = count_name(index);
        let place = format_ident!("omniglot_place_{index}");
        let same = quote! {
            let #count = #first;
            #(::omniglot::same_length(#count, #lengths)?;)*
        };
        if !returned {
            let argument = quote! { ::omniglot::length_in(#count)? };
            return Piece { before: same, argument, ..Piece::default() };
        }
        let ty = self.pointee(&parameter.ty);
        Piece {
            before: quote! {
                #same
                let #place = omniglot_scope.value::<#ty>(::omniglot::length_in(#count)?)?;
            },
            argument: quote! { #place },
            after: quote! {
                let #count = ::omniglot::length_out(omniglot_scope.read(#place)?, #count)?;
            },
            result: Some((quote! { #count }, quote! { usize })),
            ..Piece::default()
        }
    }

    fn slice(self, parameter: &Parameter, place: &Ident, element: &Type, slice: &Slice) -> Piece {
        let name = ident(&parameter.name);
        let (element, pointee) = (self.ty(element), self.pointee(&parameter.ty));
        let copy = match slice.direction {
            Direction::In => quote! { copy_in::<#element>(&omniglot_elements[..]) },
            Direction::Out => quote! { zeroed::<#element>(omniglot_elements.len()) },
            Direction::InOut => quote! { copy_in::<#element>(&omniglot_elements[..]) },
        };
        let (before, argument) = if slice.optional {
            let before = quote! {
                let #place = match &#name {
                    ::core::option::Option::Some(omniglot_elements) => {
                        ::core::option::Option::Some(omniglot_scope.#copy?)
                    }
                    ::core::option::Option::None => ::core::option::Option::None,
                };
            };
            let null = quote! { ::omniglot::Ptr::null() };
            (
                before,
                quote! { #place.map_or(#null, |omniglot_place| omniglot_place.as_ptr().cast::<#pointee>()) },
            )
        } else {
            let before = quote! {
                let #place = {
                    let omniglot_elements = &#name[..];
                    omniglot_scope.#copy?
                };
            };
            (before, quote! { #place.as_ptr().cast::<#pointee>() })
        };
        let ty = slice.ty(&element);
        let after = match slice.direction {
            Direction::In => TokenStream::new(),
            Direction::Out | Direction::InOut => slice.copy_out(&name, place),
        };
        let parameter = Some(quote! { #name: #ty });
        Piece { parameter, before, argument, after, ..Piece::default() }
    }

    /// Leaves with an error if the result says so.
    fn status(self, function: &Function, status: Option<&Status>) -> TokenStream {
        let Some(Status { success, message }) = status else { return TokenStream::new() };
        let failed = match success {
            Success::Equal(value) => quote! { omniglot_result as i64 != #value },
            Success::AtLeast(value) => quote! { (omniglot_result as i64) < #value },
        };
        let functions = &self.bindings.model.functions;
        let explains = |function: &&Function| message.as_ref() == Some(&function.c_name);
        let message = match functions.iter().find(explains) {
            Some(function) => {
                let name = ident(function.raw_name());
                quote! { omniglot_scope.#name(omniglot_result)? }
            }
            None => quote! { ::omniglot::Ptr::null() },
        };
        let name = &function.c_name;
        quote! {
            if #failed {
                let omniglot_message = #message;
                return ::core::result::Result::Err(::omniglot::failed_status(
                    &**omniglot_scope, #name, omniglot_result as i64, omniglot_message,
                ));
            }
        }
    }

    /// The plain function's result, unless it is only a success status.
    fn own_result(
        self,
        function: &Function,
        wrapping: &Wrapping,
    ) -> Option<(TokenStream, TokenStream)> {
        let only_status = wrapping
            .status
            .as_ref()
            .is_some_and(|status| matches!(status.success, Success::Equal(_)));
        let is_void = self.bindings.model.types.resolve(&function.result) == &Type::Void;
        let ty = || match self.handle_to(&function.result) {
            Some(handle) if wrapping.makes => handle,
            _ => self.ty(&function.result),
        };
        (!only_status && !is_void).then(|| (quote! { omniglot_result }, ty()))
    }
}

/// A slice parameter's details.
struct Slice {
    direction: Direction,
    fixed: Option<u64>,
    optional: bool,
    /// The variable that holds how many elements were written.
    count: Option<Ident>,
}

impl Slice {
    /// The wrapper's parameter type.
    fn ty(&self, element: &TokenStream) -> TokenStream {
        let elements = match self.fixed {
            Some(len) => {
                let len = number(len);
                quote! { [#element; #len] }
            }
            None => quote! { [#element] },
        };
        let reference = match self.direction {
            Direction::In => quote! { &#elements },
            Direction::Out | Direction::InOut => quote! { &mut #elements },
        };
        if self.optional {
            quote! { ::core::option::Option<#reference> }
        } else {
            reference
        }
    }

    fn copy_out(&self, name: &Ident, place: &Ident) -> TokenStream {
        let count = match &self.count {
            Some(count) => quote! { #count },
            None => quote! { omniglot_room.len() },
        };
        let copy = quote! {
            let omniglot_count = #count;
            if let (Some(omniglot_written), Some(omniglot_room)) = (omniglot_place.range(0, omniglot_count), omniglot_room.get_mut(..omniglot_count)) {
                omniglot_scope.read_into(omniglot_written, omniglot_room)?;
            }
        };
        if self.optional {
            quote! { if let (Some(omniglot_place), Some(omniglot_room)) = (#place, #name) { #copy } }
        } else {
            quote! { { let (omniglot_place, omniglot_room) = (#place, #name); #copy } }
        }
    }
}

/// `#[must_use]`, where the header asks for that.
pub(super) fn must_use(function: &Function) -> Option<TokenStream> {
    let why = format!("the header says that the result of `{}` matters", function.c_name);
    function.must_use.then(|| quote! { #[must_use = #why] })
}

/// The text at an address that a call gave, viewed once the call's scope is over.
fn in_view(in_scope: &TokenStream, limit: u64) -> TokenStream {
    let limit = number(limit);
    quote! {
        let omniglot_text = #in_scope?;
        ::omniglot::Api::base(self).read_str(omniglot_text, #limit)
    }
}

fn count_name(index: usize) -> Ident {
    format_ident!("omniglot_count_{index}")
}

/// The variable with the length that the function wrote for a slice, if it does.
fn returned_length(wrapping: &Wrapping, slice: usize) -> Option<Ident> {
    wrapping.roles.iter().enumerate().find_map(|(index, role)| match role {
        Role::Length { slices, returned: true } if slices.contains(&slice) => {
            Some(count_name(index))
        }
        _ => None,
    })
}

/// A Rust slice's length; 0 for none.
fn length_of(parameter: &Parameter, role: &Role) -> TokenStream {
    let name = ident(&parameter.name);
    match role {
        Role::Slice { optional: true, .. } => {
            quote! { #name.as_ref().map_or(0, |omniglot_elements| omniglot_elements.len()) }
        }
        _ => quote! { #name.len() },
    }
}

/// Nothing, one value, or a tuple.
fn joined(results: &[(TokenStream, TokenStream)]) -> (TokenStream, TokenStream) {
    match results {
        [(value, ty)] => (value.clone(), ty.clone()),
        _ => {
            let (values, types): (Vec<_>, Vec<_>) = results.iter().cloned().unzip();
            (quote! { (#(#values),*) }, quote! { (#(#types),*) })
        }
    }
}
