//! Numbers that bindgen's Rust confuses or lacks, as clang knows them: 128-bit integers,
//! and `long double`, complex numbers and the like, which pass through as bytes.

use crate::declared::{Declared, Exact, Wide};
use crate::described;
use crate::model::{Definition, Function, Model, Record, Shape, Type, Types};
use crate::scalar::Scalar;

/// Gives the functions' parameters and results their types.
pub(super) fn resolve(model: &mut Model) {
    let Model { functions, described: own, types, declared, .. } = model;
    for function in functions {
        if let Some(declared) = declared.get(&function.c_name) {
            resolve_function(function, declared, types);
        }
    }
    for function in own {
        if let Some(declared) = declared.get(&described::declared_as(&function.c_name)) {
            resolve_function(function, declared, types);
        }
    }
}

fn resolve_function(function: &mut Function, declared: &Declared, types: &mut Types) {
    for (parameter, declared) in function.parameters.iter_mut().zip(&declared.parameters) {
        replace(&mut parameter.ty, &declared.ty, types);
    }
    replace(&mut function.result, &declared.result, types);
}

/// Replaces what has no type yet.
fn replace(ty: &mut Type, exact: &Exact, types: &mut Types) {
    match (types.resolve(ty).clone(), exact) {
        (Type::Unsupported(_), Exact::Number(wide)) => *ty = number(*wide, types),
        (Type::Pointer { mut to, constant }, Exact::Pointer(pointee)) => {
            replace(&mut to, pointee, types);
            *ty = Type::Pointer { to, constant };
        }
        _ => {}
    }
}

fn number(wide: Wide, types: &mut Types) -> Type {
    let integer = |name: &str| {
        let scalar = Scalar::named(name).map(Type::Scalar);
        scalar.unwrap_or_else(|| Type::Unsupported(name.to_owned()))
    };
    match wide {
        Wide::Int128 => integer("i128"),
        Wide::UnsignedInt128 => integer("u128"),
        Wide::Opaque { name, c, size, align } => {
            let docs = format!("C's `{c}`, with which only C can calculate: its bytes.");
            let record = Record {
                c_name: Some(c.to_owned()),
                shape: Shape::Bytes,
                fields: Vec::new(),
                bit_fields: Vec::new(),
                size,
                align,
                docs,
            };
            types.insert(name.to_owned(), Definition::Record(record));
            Type::Named(name.to_owned())
        }
    }
}
