//! Types, as bindgen writes them.

use quote::ToTokens;
use syn::{Expr, ExprLit, GenericArgument, Lit, PathArguments, PathSegment, PointerMutability};

use super::Lowering;
use crate::model::{Alias, Definition, Type};
use crate::scalar::Scalar;
use crate::{diagnostics, names};

impl Lowering {
    /// Translates a type; `context` names a function pointer that has no name in C.
    pub(super) fn ty(&mut self, ty: &syn::Type, context: &str) -> Type {
        if let Some(function) = function_pointer(ty) {
            return self.anonymous_signature(function, context);
        }
        match ty {
            syn::Type::Ptr(pointer) => Type::Pointer {
                to: Box::new(self.ty(&pointer.elem, context)),
                constant: matches!(pointer.mutability, PointerMutability::Const(_)),
            },
            syn::Type::Array(array) => self.array(&array.elem, length(&array.len), context),
            syn::Type::Never(_) => Type::Void,
            syn::Type::Tuple(tuple) if tuple.elems.is_empty() => Type::Void,
            syn::Type::Group(group) => self.ty(&group.elem, context),
            syn::Type::Paren(paren) => self.ty(&paren.elem, context),
            // A path of one segment is a name of the header's, whatever else has it elsewhere.
            syn::Type::Path(path) => match (path.path.segments.last(), path.path.segments.len()) {
                (Some(segment), 1) if is_foreign_name(segment) => self.own(segment),
                (Some(segment), _) => self.segment(segment, context),
                (None, _) => unsupported(ty),
            },
            _ => unsupported(ty),
        }
    }

    fn array(&mut self, element: &syn::Type, len: Option<u64>, context: &str) -> Type {
        match len {
            Some(len) => Type::Array { of: Box::new(self.ty(element, context)), len },
            None => Type::Unsupported("an array of unknown length".to_owned()),
        }
    }

    fn segment(&mut self, segment: &PathSegment, context: &str) -> Type {
        let name = segment.ident.to_string();
        let unsupported = |what: &str| Type::Unsupported(what.to_owned());
        match name.as_str() {
            "c_void" => Type::Void,
            // bindgen's word for `long double` too; a function's are resolved later.
            "u128" => unsupported("long double or a 128-bit integer"),
            "__BindgenComplex" => unsupported("a complex number"),
            "__BindgenFloat16" => unsupported("a 16-bit float"),
            "__IncompleteArrayField" => {
                self.generic(segment, context, |of| Type::Array { of, len: 0 })
            }
            "__BindgenBitfieldUnit" | "__BindgenUnionField" | "ManuallyDrop" => {
                self.generic(segment, context, |inner| *inner)
            }
            _ if name.starts_with("__Bindgen") => unsupported("a type that bindgen cannot express"),
            _ if names::is_va_list(&name) => unsupported("va_list"),
            _ if self.identifiers.is_ambiguous(&name) => {
                unsupported(&diagnostics::ambiguous(self.identifiers.in_c(&name)))
            }
            _ => match Scalar::named(&name) {
                Some(scalar) => Type::Scalar(scalar),
                None => Type::Named(name),
            },
        }
    }

    fn own(&self, segment: &PathSegment) -> Type {
        let name = segment.ident.to_string();
        if self.identifiers.is_ambiguous(&name) {
            return Type::Unsupported(diagnostics::ambiguous(self.identifiers.in_c(&name)));
        }
        Type::Named(name)
    }

    /// The type that a wrapper of bindgen wraps.
    fn generic(
        &mut self,
        segment: &PathSegment,
        context: &str,
        wrap: impl FnOnce(Box<Type>) -> Type,
    ) -> Type {
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return Type::Unsupported(segment.to_token_stream().to_string());
        };
        match arguments.args.first() {
            Some(GenericArgument::Type(inner)) => wrap(Box::new(self.ty(inner, context))),
            _ => Type::Unsupported(segment.to_token_stream().to_string()),
        }
    }

    /// A function pointer without a typedef: named after its first use; later uses of
    /// the same type get an alias of their own.
    fn anonymous_signature(&mut self, function: &syn::TypeFnPtr, context: &str) -> Type {
        let own = format!("{context}_fn");
        let key = shape_of(function);
        match self.anonymous.get(&key).cloned() {
            Some(name) if name == own => Type::Function(name),
            Some(name) => {
                let alias = Alias { target: Type::Function(name), docs: String::new() };
                self.model.types.insert(own.clone(), Definition::Alias(alias));
                Type::Named(own)
            }
            None => {
                self.anonymous.insert(key, own.clone());
                self.signature(&own, function, String::new(), false);
                Type::Function(own)
            }
        }
    }
}

/// Whether a name without a path is one that bindgen writes with a path when it means Rust's own.
fn is_foreign_name(segment: &PathSegment) -> bool {
    let name = segment.ident.to_string();
    let is_in_core = name.starts_with("c_") || name == "ManuallyDrop";
    is_in_core && matches!(segment.arguments, PathArguments::None)
}

/// What makes two function pointers the same type: not the parameters' names.
fn shape_of(function: &syn::TypeFnPtr) -> String {
    let mut nameless = function.clone();
    nameless.inputs.iter_mut().for_each(|input| input.name = None);
    nameless.to_token_stream().to_string()
}

/// The `fn` in `Option<unsafe extern "C" fn(..)>`, or a bare one.
pub(super) fn function_pointer(ty: &syn::Type) -> Option<&syn::TypeFnPtr> {
    match ty {
        syn::Type::FnPtr(function) => Some(function),
        syn::Type::Path(path) => {
            let segment = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
            match arguments.args.first()? {
                GenericArgument::Type(syn::Type::FnPtr(function)) if segment.ident == "Option" => {
                    Some(function)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn unsupported(ty: &syn::Type) -> Type {
    Type::Unsupported(ty.to_token_stream().to_string())
}

fn length(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}
