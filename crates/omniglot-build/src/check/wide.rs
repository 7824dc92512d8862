//! Numbers that bindgen's Rust confuses or lacks, as clang knows them: 128-bit integers,
//! and `long double`, complex numbers and the like, which pass through as bytes.

use std::collections::BTreeMap;

use crate::declared::{Declarations, Declared, Exact, Wide};
use crate::described;
use crate::model::{Definition, Function, Model, Record, Shape, Signature, Type, Types};
use crate::scalar::Scalar;

/// Gives what is declared its types.
pub(super) fn resolve(model: &mut Model) {
    let Model { functions, described: own, globals, signatures, types, declared, .. } = model;
    let mut numbers = Numbers { types, signatures };
    numbers.typedefs(&declared.typedefs);
    numbers.records(&declared.records);
    for global in globals {
        if let Some(exact) = declared.globals.get(&global.c_name) {
            numbers.replace(&mut global.ty, exact);
        }
    }
    numbers.functions(functions, declared, str::to_owned);
    numbers.functions(own, declared, described::declared_as);
}

/// The types that exist, and those that are added.
struct Numbers<'a> {
    types: &'a mut Types,
    signatures: &'a mut [Signature],
}

impl Numbers<'_> {
    fn typedefs(&mut self, declared: &BTreeMap<String, Exact>) {
        for (name, exact) in declared {
            let Some(Definition::Alias(alias)) = self.types.get(name) else { continue };
            let mut target = alias.target.clone();
            self.replace(&mut target, exact);
            if let Some(Definition::Alias(alias)) = self.types.get_mut(name) {
                alias.target = target;
            }
        }
    }

    fn records(&mut self, declared: &BTreeMap<String, BTreeMap<String, Exact>>) {
        for (name, fields) in declared {
            let Some(Definition::Record(record)) = self.types.get_mut(name) else { continue };
            let packed = is_packed(record);
            let mut known = std::mem::take(&mut record.fields);
            for field in &mut known {
                let exact = field.c_name.as_ref().and_then(|name| fields.get(name));
                // Rust has no aligned types in packed ones; these stay bytes.
                if let Some(exact) = exact.filter(|exact| !packed || is_integer(exact)) {
                    self.replace(&mut field.ty, exact);
                }
            }
            if let Some(Definition::Record(record)) = self.types.get_mut(name) {
                record.fields = known;
            }
        }
    }

    fn functions(
        &mut self,
        functions: &mut [Function],
        declared: &Declarations,
        name: fn(&str) -> String,
    ) {
        for function in functions {
            if let Some(declared) = declared.functions.get(&name(&function.c_name)) {
                self.function(function, declared);
            }
        }
    }

    fn function(&mut self, function: &mut Function, declared: &Declared) {
        for (parameter, declared) in function.parameters.iter_mut().zip(&declared.parameters) {
            self.replace(&mut parameter.ty, &declared.ty);
        }
        self.replace(&mut function.result, &declared.result);
    }

    /// Replaces what has no type yet.
    fn replace(&mut self, ty: &mut Type, exact: &Exact) {
        match (self.types.resolve(ty).clone(), exact) {
            (Type::Unsupported(_), Exact::Number(wide)) => *ty = self.number(*wide),
            (_, Exact::Unknown(what)) => *ty = Type::Unsupported(what.clone()),
            (Type::Pointer { mut to, constant }, Exact::Pointer(pointee)) => {
                let before = to.clone();
                self.replace(&mut to, pointee);
                if to != before {
                    *ty = Type::Pointer { to, constant };
                }
            }
            (Type::Array { mut of, len }, Exact::Array(element)) => {
                let before = of.clone();
                self.replace(&mut of, element);
                if of != before {
                    *ty = Type::Array { of, len };
                }
            }
            (Type::Function(name), Exact::Pointer(function)) => self.signature(&name, function),
            (Type::Function(name), function) => self.signature(&name, function),
            _ => {}
        }
    }

    /// What a pointer to a function points to.
    fn signature(&mut self, name: &str, exact: &Exact) {
        let Exact::Function { parameters: exact, result: exact_result } = exact else { return };
        let position = self.signatures.iter().position(|signature| signature.name == name);
        let find = |signatures: &mut [Signature]| -> Option<(Vec<_>, Type)> {
            let signature = signatures.get_mut(position?)?;
            Some((std::mem::take(&mut signature.parameters), signature.result.clone()))
        };
        let Some((mut parameters, mut result)) = find(self.signatures) else { return };
        for (parameter, exact) in parameters.iter_mut().zip(exact) {
            self.replace(&mut parameter.ty, exact);
        }
        self.replace(&mut result, exact_result);
        let signature = position.and_then(|position| self.signatures.get_mut(position));
        if let Some(signature) = signature {
            (signature.parameters, signature.result) = (parameters, result);
        }
    }

    fn number(&mut self, wide: Wide) -> Type {
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
                self.types.insert(name.to_owned(), Definition::Record(record));
                Type::Named(name.to_owned())
            }
        }
    }
}

fn integer(name: &str) -> Type {
    let scalar = Scalar::named(name).map(Type::Scalar);
    scalar.unwrap_or_else(|| Type::Unsupported(name.to_owned()))
}

fn is_packed(record: &Record) -> bool {
    matches!(&record.shape, Shape::Struct { modifier: Some(modifier) } if modifier.contains("packed"))
}

/// A number that is one in Rust, or an array of these, or something without an alignment of
/// its own.
fn is_integer(exact: &Exact) -> bool {
    match exact {
        Exact::Array(element) => is_integer(element),
        Exact::Number(wide) => matches!(wide, Wide::Int128 | Wide::UnsignedInt128),
        Exact::Told | Exact::Pointer(_) | Exact::Function { .. } | Exact::Unknown(_) => true,
    }
}
