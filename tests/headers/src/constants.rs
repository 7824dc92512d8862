//! The constants of a Rust module, in a format that a C program can also print.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use syn::{Expr, ExprLit, Item, ItemConst, Lit, Type, UnOp};

/// Constants by their C names, each as `KIND SIZE VALUE`.
pub type Constants = BTreeMap<String, String>;

/// Reads the constants of a generated module, except those whose type C cannot print.
#[must_use]
pub fn read(file: &syn::File) -> Constants {
    let mut types = BTreeMap::new();
    let mut constants = Vec::new();
    for item in &file.items {
        let Item::Mod(module) = item else { continue };
        for item in module.content.iter().flat_map(|(_, items)| items) {
            match item {
                Item::Type(item) => {
                    types.insert(item.ident.to_string(), (*item.ty).clone());
                }
                Item::Const(item) if module.ident == "constants" => constants.push(item),
                _ => {}
            }
        }
    }
    let shown = constants.into_iter().filter_map(|item| Some((c_name(item)?, show(item, &types)?)));
    shown.collect()
}

/// Returns the C name, which the documentation states.
fn c_name(item: &ItemConst) -> Option<String> {
    item.attrs.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
        Some(text.value().trim().strip_prefix('`')?.split_once('`')?.0.to_owned())
    })
}

fn show(item: &ItemConst, types: &BTreeMap<String, Type>) -> Option<String> {
    if let Type::Reference(reference) = &*item.ty {
        return text(&reference.elem, &item.expr, types);
    }
    let name = resolved(&item.ty, types)?;
    let kind = kind(&name)?;
    Some(match kind {
        ('f', size) => format!("f{size} {}", float(&item.expr)?),
        ('b', size) => format!("b{size} {}", u8::from(is_true(&item.expr)?)),
        (sign, size) => format!("{sign}{size} {}", integer(&item.expr)?),
    })
}

/// Returns the last segment of a type's path, after resolving aliases.
fn resolved(ty: &Type, types: &BTreeMap<String, Type>) -> Option<String> {
    let mut ty = ty;
    for _ in 0..32 {
        let Type::Path(path) = ty else { return None };
        let name = path.path.segments.last()?.ident.to_string();
        match types.get(&name) {
            Some(target) if path.path.segments.len() == 1 => ty = target,
            _ => return Some(name),
        }
    }
    None
}

/// Returns whether a number is signed, unsigned, a float or a boolean, and its size on x86-64.
fn kind(name: &str) -> Option<(char, usize)> {
    Some(match name {
        "bool" => ('b', 1),
        "f32" => ('f', 4),
        "f64" | "c_double" => ('f', 8),
        "i8" | "c_char" | "c_schar" => ('i', 1),
        "u8" | "c_uchar" => ('u', 1),
        "i16" | "c_short" => ('i', 2),
        "u16" | "c_ushort" => ('u', 2),
        "i32" | "c_int" => ('i', 4),
        "u32" | "c_uint" => ('u', 4),
        "i64" | "c_long" | "c_longlong" | "isize" => ('i', 8),
        "u64" | "c_ulong" | "c_ulonglong" | "usize" => ('u', 8),
        _ => return None,
    })
}

fn integer(value: &Expr) -> Option<i128> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            integer(&negated.expr)?.checked_neg()
        }
        _ => None,
    }
}

/// Returns the bits of a float as a 64-bit float.
fn float(value: &Expr) -> Option<String> {
    let number = match value {
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse::<f64>().ok()?,
        Expr::Unary(negated) => match &*negated.expr {
            Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => {
                -number.base10_parse::<f64>().ok()?
            }
            _ => return None,
        },
        Expr::Path(path) => match path.path.segments.last()?.ident.to_string().as_str() {
            "INFINITY" => f64::INFINITY,
            "NEG_INFINITY" => f64::NEG_INFINITY,
            "NAN" => return Some("nan".to_owned()),
            _ => return None,
        },
        _ => return None,
    };
    Some(format!("{:016x}", number.to_bits()))
}

fn is_true(value: &Expr) -> Option<bool> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(value.value),
        _ => None,
    }
}

/// Returns a string's elements, including its terminator.
fn text(ty: &Type, value: &Expr, types: &BTreeMap<String, Type>) -> Option<String> {
    let (size, elements): (usize, Vec<i128>) = match value {
        Expr::Lit(ExprLit { lit: Lit::CStr(text), .. }) => {
            (1, text.value().to_bytes_with_nul().iter().map(|byte| (*byte).into()).collect())
        }
        Expr::Lit(ExprLit { lit: Lit::ByteStr(text), .. }) => {
            (1, text.value().iter().map(|byte| (*byte).into()).collect())
        }
        Expr::Reference(reference) => {
            let (Expr::Array(array), Type::Array(ty)) = (&*reference.expr, ty) else { return None };
            let (_, size) = kind(&resolved(&ty.elem, types)?)?;
            (size, array.elems.iter().filter_map(integer).collect())
        }
        _ => return None,
    };
    let mut shown = format!("s{size}");
    for element in elements {
        // Writing to a `String` cannot fail.
        let _ = write!(shown, " {:x}", element & ((1 << (8 * size)) - 1));
    }
    Some(shown)
}

/// Returns a C program that prints the same lines. It begins with the lines that include the
/// headers.
#[must_use]
pub fn program(includes: &str, constants: &Constants) -> String {
    let mut program = format!("{includes}{PROLOGUE}");
    for (name, value) in constants {
        let macro_name = if value.starts_with('s') { "SHOW_TEXT" } else { "SHOW_NUMBER" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(program, "    {macro_name}(\"{name}\", {name});");
    }
    program.push_str("    return 0;\n}\n");
    program
}

/// A number's kind follows from its type. Its value is converted to the widest type.
const PROLOGUE: &str = r#"
#undef printf
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define SHOW_NUMBER(name, m) \
    do { \
        char kind = _Generic((m), float: 'f', double: 'f', _Bool: 'b', \
            default: (__typeof__((m)))-1 < (__typeof__((m)))1 ? 'i' : 'u'); \
        printf("%s %c%zu ", name, kind, sizeof(m)); \
        if (kind == 'f') { \
            double value = (double)(m); \
            uint64_t bits; \
            memcpy(&bits, &value, sizeof bits); \
            if (value != value) printf("nan\n"); else printf("%016llx\n", (unsigned long long)bits); \
        } else if (kind == 'i') \
            printf("%lld\n", (long long)(m)); \
        else \
            printf("%llu\n", (unsigned long long)(m)); \
    } while (0)
#define SHOW_TEXT(name, m) \
    do { \
        printf("%s s%zu", name, sizeof((m)[0])); \
        for (size_t i = 0; i < sizeof(m) / sizeof((m)[0]); i++) \
            printf(" %llx", (unsigned long long)(m)[i] & ((2ULL << (8 * sizeof((m)[0]) - 1)) - 1)); \
        printf("\n"); \
    } while (0)
int main(void)
{
"#;
