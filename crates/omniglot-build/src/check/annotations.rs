//! Wrappers from the header's own annotations: `counted_by(n)`, `sized_by(n)`, `_Nullable`.

use crate::annotated::{Annotated, Counted, LengthUnit, Null, ParameterAnnotations};
use crate::diagnostics;
use crate::error::Problem;
use crate::model::{Function, Model, Type, Types};
use crate::wrapper::{Direction, Length, Wrapper};

/// Records which functions' results must not be ignored.
pub(super) fn mark(model: &mut Model) {
    for function in &mut model.functions {
        let declared = model.annotations.get(&function.c_name);
        function.must_use = declared.is_some_and(|declared| declared.must_use);
    }
}

/// A wrapper for each function whose parameters are annotated and that has none.
pub(super) fn wrappers(model: &Model, found: &mut Vec<Problem>) -> Vec<Wrapper> {
    let plain = model.functions.iter().filter(|function| function.wrapping.is_none());
    let annotated = plain.filter_map(|function| {
        Some((
            function,
            model.annotations.get(&function.c_name).filter(|declared| is_annotated(declared))?,
        ))
    });
    annotated
        .map(|(function, declared)| {
            let mut wrapper = Wrapper::function(&function.c_name);
            for (parameter, declared) in function.parameters.iter().zip(&declared.parameters) {
                wrapper = match described(
                    &model.types,
                    wrapper,
                    &parameter.c_name,
                    &parameter.ty,
                    declared,
                ) {
                    Ok(wrapper) => wrapper,
                    Err((wrapper, reason)) => {
                        found.push(unused(function, &parameter.c_name, &reason));
                        wrapper
                    }
                };
            }
            wrapper
        })
        .filter(|wrapper| !wrapper.roles.is_empty() || !wrapper.optional.is_empty())
        .collect()
}

fn is_annotated(declared: &Annotated) -> bool {
    let annotated = |parameter: &ParameterAnnotations| {
        parameter.counted.is_some() || parameter.null == Null::Allowed
    };
    declared.parameters.iter().any(annotated)
}

fn unused(function: &Function, parameter: &str, reason: &str) -> Problem {
    Problem::new(&function.c_name, diagnostics::annotation_unused(parameter, reason))
}

/// Adds what the annotations say about one parameter.
fn described(
    types: &Types,
    wrapper: Wrapper,
    name: &str,
    ty: &Type,
    declared: &ParameterAnnotations,
) -> Result<Wrapper, (Wrapper, String)> {
    let wrapper = match &declared.counted {
        None => wrapper,
        Some(counted) => match slice(types, ty, counted) {
            Ok((direction, length)) => wrapper.slice(name, direction, length),
            Err(reason) => return Err((wrapper, reason)),
        },
    };
    Ok(if declared.null == Null::Allowed { wrapper.optional(name) } else { wrapper })
}

/// Which parameter has a counted pointer's length, and in which direction its elements are copied:
/// both ways if the function may write them, since it may read them, too.
fn slice(types: &Types, ty: &Type, counted: &Counted) -> Result<(Direction, Length), String> {
    let Type::Pointer { to, constant } = types.resolve(ty) else {
        return Err(diagnostics::no_data_pointer());
    };
    let is_byte = match types.resolve(to) {
        Type::Void => true,
        Type::Scalar(scalar) => {
            matches!(scalar.rust, "u8" | "i8" | "c_char" | "c_schar" | "c_uchar")
        }
        _ => false,
    };
    if counted.unit == LengthUnit::Bytes && !is_byte {
        return Err(diagnostics::size_in_bytes());
    }
    let direction = if *constant { Direction::In } else { Direction::InOut };
    let by = counted.by.trim_start_matches(['*', ' ', '(']).trim_end_matches([')', ' ']);
    if let Ok(fixed) = by.parse() {
        return Ok((direction, Length::Fixed(fixed)));
    }
    if by.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return Ok((direction, Length::Parameter(by.to_owned())));
    }
    Err(diagnostics::no_length(by))
}
