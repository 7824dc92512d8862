//! Writes the Rust code that calls the C code: one line per type and signature, for the macros of
//! `src/macros.rs`.

use std::fmt::Write as _;

use crate::world::{Kind, Signature, Type, World};

/// Writes the code that a library's module includes.
pub(crate) fn calls(world: &World) -> String {
    let mut out = String::new();
    for (index, values) in world.enums.iter().enumerate() {
        let names: Vec<String> =
            (0..values.len()).map(|place| format!("e{index}_{place}")).collect();
        line(&mut out, format_args!("mix_enum!(e{index}: {});", names.join(", ")));
    }
    for scalar in &world.opaque {
        let name = scalar.rust.trim_start_matches("lib::");
        if let Kind::Bytes { size, unit, used } = scalar.kind {
            line(&mut out, format_args!("mix_bytes!({name}: {size}, {unit}, {used});"));
        }
    }
    for (index, union) in world.unions.iter().enumerate() {
        line(&mut out, format_args!("mix_union!(u{index}: {});", union.size));
    }
    for (index, structure) in world.structs.iter().enumerate() {
        let fields: Vec<String> =
            (0..structure.fields.len()).map(|place| format!("f{place}")).collect();
        line(&mut out, format_args!("mix_struct!(s{index}: {});", fields.join(", ")));
    }
    let mut cases = Vec::new();
    for (index, signature) in world.signatures.iter().enumerate() {
        let text = types(signature);
        line(&mut out, format_args!("plain!({index} plain_{index} {text});"));
        cases.push(format!("plain_{index}::<R>"));
        if signature.callback {
            line(
                &mut out,
                format_args!("calling!({index} calling_{index} callback_{index} {text});"),
            );
            line(&mut out, format_args!("pointer!({index} pointer_{index} {text});"));
            cases.push(format!("calling_{index}::<R>"));
            cases.push(format!("pointer_{index}::<R>"));
        }
    }
    line(&mut out, format_args!("cases!({});", cases.join(", ")));
    out
}

/// Formats a signature, such as `(a0: i32, a1: lib::s3) -> f32`.
fn types(signature: &Signature) -> String {
    let parameters: Vec<String> = (0..)
        .zip(&signature.parameters)
        .map(|(index, ty): (usize, &Type)| format!("a{index}: {}", spell(ty)))
        .collect();
    let result = signature.result.as_ref().map_or_else(|| "()".to_owned(), spell);
    format!("({}) -> {result}", parameters.join(", "))
}

fn spell(ty: &Type) -> String {
    match ty {
        Type::Scalar(scalar) => scalar.rust.to_owned(),
        Type::Enum(index) => format!("lib::e{index}"),
        Type::Struct(index) => format!("lib::s{index}"),
        Type::Union(index) => format!("lib::u{index}"),
        Type::Array(of, len) => format!("[{}; {len}]", spell(of)),
    }
}

/// Appends a line. Writing to a `String` cannot fail.
fn line(out: &mut String, line: impl std::fmt::Display) {
    let _ = writeln!(out, "{line}");
}
