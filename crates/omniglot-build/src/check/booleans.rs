//! Integers that the user declares to be booleans: from here on they are enums of 0 and 1.

use crate::error::Error;
use crate::model::{ConstantType, Definition, Enum, Model, Type, Variant};
use crate::options::Options;
use crate::scalar::{Scalar, Target};

/// Turns the typedefs that `bool_type` names into enums.
pub(super) fn bind(model: &mut Model, options: &Options, target: &Target, errors: &mut Vec<Error>) {
    for name in &options.bool_types {
        let Some(repr) = integer(model, name, target) else {
            errors.push(Error::NoBoolType { name: name.clone() });
            continue;
        };
        let docs = match model.types.get(name) {
            Some(Definition::Alias(alias)) => alias.docs.clone(),
            _ => String::new(),
        };
        let definition = Enum {
            c_name: Some(name.clone()),
            repr,
            boolean: true,
            variants: vec![variant("FALSE", 0), variant("TRUE", 1)],
            synonyms: Vec::new(),
            docs,
        };
        // A constant of the type is still a number.
        for constant in &mut model.constants {
            if matches!(&constant.ty, ConstantType::Value(Type::Named(ty)) if ty == name) {
                constant.ty = ConstantType::Value(Type::Scalar(repr));
            }
        }
        model.types.insert(name.clone(), Definition::Enum(definition));
    }
}

fn variant(name: &str, value: i128) -> Variant {
    Variant { name: name.to_owned(), c_name: name.to_owned(), value, docs: String::new() }
}

/// The integer of fixed size that a typedef stands for.
fn integer(model: &Model, name: &str, target: &Target) -> Option<&'static Scalar> {
    let Some(Definition::Alias(alias)) = model.types.get(name) else { return None };
    let Type::Scalar(scalar) = model.types.resolve(&alias.target) else { return None };
    let is_integer = !matches!(scalar.rust, "bool" | "f32" | "f64" | "c_float");
    let sign = if scalar.is_signed(target) { 'i' } else { 'u' };
    let bits = 8 * scalar.size(target);
    is_integer.then(|| Scalar::named(&format!("{sign}{bits}")))?
}
