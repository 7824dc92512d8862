//! Constants from macros: C's types and values in Rust's words, and what C confirms of them.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::macros::{self, Number, Value};
use super::numbers;
use super::reader::Reader;
use crate::model::{Confirmed, Constant, ConstantType, Definition, Type};
use crate::scalar::Scalar;
use crate::{diagnostics, docs, names};

impl Reader<'_, '_> {
    /// A macro's constant, or why Rust has none for it.
    pub(super) fn macro_constant(&mut self, found: &macros::MacroConstant) {
        match &found.value {
            Value::Inexpressible(reason) => {
                self.model.said.push((found.name.clone(), diagnostics::not_bound(reason)));
            }
            value => {
                let constant = self.constant(&found.name, value);
                let confirmed = confirmed(value);
                let constant = constant.map(|constant| Constant { confirmed, ..constant });
                self.model.constants.extend(constant);
            }
        }
    }

    /// A constant with a value.
    pub(super) fn constant(&self, c_name: &str, found: &Value) -> Option<Constant> {
        let (ty, value) = match found {
            Value::Integer(number, value) => {
                (ConstantType::Value(self.number_type(number)?), integer(number, *value))
            }
            Value::Float(number, value) => {
                (ConstantType::Value(self.number_type(number)?), float(number, *value))
            }
            Value::Text(number, elements) => {
                let (ty, value) = text(number, &self.number_type(number)?, elements);
                (ConstantType::Text(ty), value)
            }
            Value::Inexpressible(_) => return None,
        };
        let (name, c_name) = (names::escape(c_name), c_name.to_owned());
        Some(Constant { name, c_name, ty, value, confirmed: None, docs: String::new() })
    }

    /// A number's type: the typedef that the expression names, if Rust has it as a number, or
    /// C's own.
    fn number_type(&self, number: &Number) -> Option<Type> {
        let canonical = Scalar::named(number.rust)?;
        let Some(name) = &number.named else { return Some(Type::Scalar(canonical)) };
        let fixed = numbers::fixed(name).and_then(Scalar::named);
        if let Some(fixed) = fixed {
            return Some(Type::Scalar(fixed));
        }
        let name = names::escape(name);
        match self.model.types.get(&name) {
            Some(Definition::Alias(alias)) => match self.model.types.resolve(&alias.target) {
                Type::Scalar(_) => Some(Type::Named(name)),
                _ => Some(Type::Scalar(canonical)),
            },
            _ => Some(Type::Scalar(canonical)),
        }
    }
}

/// What C must say of a macro, too.
fn confirmed(value: &Value) -> Option<Confirmed> {
    Some(match value {
        Value::Integer(number, value) => {
            Confirmed { ty: c_type(number), value: in_c(number, *value) }
        }
        Value::Float(number, value) => {
            Confirmed { ty: c_type(number), value: float_in_c(number, *value) }
        }
        Value::Text(number, elements) => {
            let ty = c_type(number).map(|ty| format!("{ty}[{}]", elements.len()));
            Confirmed { ty, value: None }
        }
        Value::Inexpressible(_) => return None,
    })
}

fn c_type(number: &Number) -> Option<String> {
    Some(Scalar::named(number.rust).filter(|_| number.is_exact)?.c.to_owned())
}

/// An integer as C writes one of its type; `None` for those of 128 bits.
fn in_c(number: &Number, value: i128) -> Option<String> {
    let suffix = match number.rust {
        "i128" | "u128" => return None,
        "c_uint" => "U",
        "c_long" => "L",
        "c_ulong" => "UL",
        "c_longlong" => "LL",
        "c_ulonglong" => "ULL",
        _ => "",
    };
    // C has no literal for the least number.
    let least = value == i64::MIN.into() || value == i32::MIN.into();
    Some(if least { format!("({}{suffix} - 1)", value + 1) } else { format!("{value}{suffix}") })
}

/// A float as C writes one of its type; `None` for what is unequal to itself, and for what C
/// compilers leave to be divided when the program runs.
fn float_in_c(number: &Number, value: f64) -> Option<String> {
    let suffix = if number.rust == "f32" { "F" } else { "" };
    // As many digits as it takes.
    value.is_finite().then(|| format!("{value:e}{suffix}"))
}

fn integer(number: &Number, value: i128) -> TokenStream {
    match number.rust {
        "bool" => {
            let value = value != 0;
            quote! { #value }
        }
        "u128" => {
            let value = Literal::u128_unsuffixed(value.cast_unsigned());
            quote! { #value }
        }
        _ => {
            let value = Literal::i128_unsuffixed(value);
            quote! { #value }
        }
    }
}

fn float(number: &Number, value: f64) -> TokenStream {
    let ty = names::ident(number.rust);
    if value.is_nan() {
        return quote! { #ty::NAN };
    }
    if value.is_infinite() {
        return if value > 0.0 {
            quote! { #ty::INFINITY }
        } else {
            quote! { #ty::NEG_INFINITY }
        };
    }
    let value = Literal::f64_unsuffixed(value);
    quote! { #value }
}

/// A C string, or a reference to the elements if one of them before the last is zero, or they
/// are wide.
fn text(number: &Number, element: &Type, elements: &[i128]) -> (TokenStream, TokenStream) {
    let bytes = elements.iter().map(|element| u8::try_from(element & 0xff).ok());
    let bytes: Option<Vec<u8>> = bytes.collect();
    let narrow = matches!(number.rust, "c_char" | "c_schar" | "c_uchar");
    let len = Literal::usize_unsuffixed(elements.len());
    match (narrow, bytes) {
        (true, Some(bytes)) => match std::ffi::CStr::from_bytes_with_nul(&bytes) {
            Ok(text) => {
                let text = c_string(text);
                (quote! { &::core::ffi::CStr }, quote! { #text })
            }
            Err(_) => {
                let bytes = Literal::byte_string(&bytes);
                (quote! { &[u8; #len] }, quote! { #bytes })
            }
        },
        _ => {
            let element = match element {
                Type::Scalar(scalar) if scalar.rust.starts_with("c_") => {
                    let name = names::ident(scalar.rust);
                    quote! { ::core::ffi::#name }
                }
                _ => {
                    let name = names::ident(number.rust);
                    quote! { ::core::ffi::#name }
                }
            };
            let elements = elements.iter().map(|element| Literal::i128_unsuffixed(*element));
            (quote! { &[#element; #len] }, quote! { &[#(#elements),*] })
        }
    }
}

/// A literal that shows what it holds: without characters that change the direction of writing.
fn c_string(text: &std::ffi::CStr) -> Literal {
    if text.to_str().is_ok_and(docs::is_visible) {
        return Literal::c_string(text);
    }
    let bytes = text.to_bytes().iter().map(|byte| format!("\\x{byte:02x}"));
    let escaped = format!("c\"{}\"", bytes.collect::<String>());
    escaped.parse().unwrap_or_else(|_| Literal::c_string(text))
}
