//! Types as C spells them.

use crate::model::{Definition, Model, Parameter, Shape, Signature, Type};

/// The type of a frame's member. Every pointer is a `void *`, which C converts to and
/// from all others; enums are their integers.
pub(crate) fn frame_type(model: &Model, ty: &Type) -> String {
    match model.types.resolve(ty) {
        Type::Scalar(scalar) => scalar.c.to_owned(),
        Type::Named(name) => match model.types.get(name) {
            Some(Definition::Enum(definition)) => definition.repr.c.to_owned(),
            Some(Definition::Record(record)) => match (&record.shape, record.fields.first()) {
                (Shape::Newtype { .. }, Some(field)) => frame_type(model, &field.ty),
                _ => record.c_name.clone().unwrap_or_else(|| name.clone()),
            },
            _ => name.clone(),
        },
        _ => "void *".to_owned(),
    }
}

/// `frame->result = call;`, or just `call;` for `void`. The cast drops `const`.
pub(crate) fn assign_result(model: &Model, place: &str, result: &Type, call: &str) -> String {
    match result {
        Type::Pointer { .. } | Type::Function(_) => format!("{place} = (void *){call};"),
        _ => assign(model, place, result, call),
    }
}

/// `place = value;`, also for a struct with `const` members, to which C assigns nothing.
pub(crate) fn assign(model: &Model, place: &str, ty: &Type, value: &str) -> String {
    let fixed = model.types.record(ty).filter(|record| record.is_fixed);
    match (ty, fixed.and_then(|record| record.c_name.as_ref())) {
        (Type::Void, _) => format!("{value};"),
        (_, Some(fixed)) => format!(
            "{{ {fixed} omniglot_value = {value}; memcpy((void *)&{place}, &omniglot_value, \
             sizeof omniglot_value); }}"
        ),
        _ => format!("{place} = {value};"),
    }
}

/// A declaration of `name`, for documentation and for the locals of guards.
pub(crate) fn declare(model: &Model, ty: &Type, name: &str) -> String {
    let join = |ty: &str| format!("{ty} {name}").trim_end().to_owned();
    match ty {
        Type::Void => join("void"),
        Type::Scalar(scalar) if scalar.c == "_Bool" => join("bool"),
        Type::Scalar(scalar) => join(scalar.c),
        _ if made_up(model, ty).is_some() => declare_function(model, ty, name),
        Type::Named(named) => join(&name_in_c(model, named)),
        Type::Function(signature) => join(signature),
        Type::Unsupported(what) => join(&format!("/* {what} */")),
        Type::Array { of, len } => declare(model, of, &format!("{name}[{len}]")),
        Type::Pointer { to, constant } => {
            let inner = match &**to {
                Type::Array { .. } => format!("(*{name})"),
                _ => format!("*{name}"),
            };
            let prefix =
                if *constant && !matches!(**to, Type::Pointer { .. }) { "const " } else { "" };
            format!("{prefix}{}", declare(model, to, &inner))
        }
    }
}

/// The signature of a function pointer that has no name in C.
fn made_up<'a>(model: &'a Model, ty: &Type) -> Option<&'a Signature> {
    let target = match ty {
        Type::Named(name) => match model.types.get(name)? {
            Definition::Alias(alias) => &alias.target,
            _ => return None,
        },
        other => other,
    };
    match target {
        Type::Function(_) => model.signature(target).filter(|signature| !signature.named),
        _ => None,
    }
}

/// `int (*name)(const void *)`.
fn declare_function(model: &Model, ty: &Type, name: &str) -> String {
    let Some(signature) = made_up(model, ty) else { return name.to_owned() };
    let Signature { parameters, result, variadic, .. } = signature;
    let text = prototype(model, &format!("(*{name})"), parameters, result);
    match text.strip_suffix(')') {
        Some(text) if *variadic => format!("{text}, ...)"),
        _ => text,
    }
}

/// The prototype of a function, for documentation.
pub(crate) fn prototype(
    model: &Model,
    name: &str,
    parameters: &[Parameter],
    result: &Type,
) -> String {
    let parameters: Vec<String> = parameters
        .iter()
        .map(|parameter| declare(model, &parameter.ty, &parameter.c_name))
        .collect();
    let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    declare(model, result, &format!("{name}({parameters})"))
}

/// A named type's C spelling: `struct point`, `png_structp`.
pub(crate) fn name_in_c(model: &Model, name: &str) -> String {
    if model.types.is_by_typedef(name) {
        return model.in_c(name).to_owned();
    }
    let spelled = match model.types.get(name) {
        Some(Definition::Record(record)) => record.c_name.clone(),
        Some(Definition::Enum(definition)) => definition.c_name.clone(),
        Some(Definition::Opaque(opaque)) => Some(opaque.c_name.clone()),
        Some(Definition::Alias(_)) | None => None,
    };
    spelled.unwrap_or_else(|| model.in_c(name).to_owned())
}
