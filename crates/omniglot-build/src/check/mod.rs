//! Decides what can be bound, and gives the reason for everything else.

mod annotations;
mod booleans;
mod guards;
mod handles;
pub(crate) mod left_out;
mod patterns;
mod pointers;
mod renames;
mod statuses;
mod typedefs;
mod walk;
mod wrappers;

use std::collections::BTreeSet;

use crate::error::{Error, Problem, Result};
use crate::layout::{Frame, Layouts};
use crate::model::{
    ConstantType, Definition, Function, Model, Record, Shape, Signature, Type, Types,
};
use crate::options::{Options, whole_name};
use crate::scalar::Target;
use crate::{described, diagnostics};

pub(crate) use left_out::LeftOut;

/// Checks a model and leaves in it what can be bound.
pub(crate) fn check(
    model: &mut Model,
    options: &Options,
    target: &Target,
    left_out: &LeftOut,
) -> Result<Vec<Problem>> {
    let (mut problems, mut errors) = (Vec::new(), Vec::new());
    patterns::check_patterns(model, options, &mut errors);
    list_said(model, options, &mut problems);
    handles::distinguish(model, options);
    described::bind(model, options, &mut errors);
    booleans::bind(model, options, target, &mut errors);
    typedefs::prefer(model);
    pointers::merge(model);
    left_out::apply(model, left_out, &mut problems);
    check_records(model, target, &mut problems);
    check_signatures(model, target, &mut problems);
    check_functions(model, target, &mut problems);
    check_globals(model, target, &mut problems);
    check_constants(model, &mut problems);
    for function in &mut model.functions {
        function.raises = options.raises.contains(&function.c_name);
    }
    errors.extend(mark_batches(model, options).err());
    renames::list_renamed(model, &mut problems);
    renames::rename_constants(model, options, &mut problems);
    renames::rename_methods(model, &mut problems);
    renames::rename_parameters(model);
    annotations::mark(model);
    errors.extend(wrappers::bind(model, options, target, &mut problems).err());
    guards::set_guards(model, options, &mut problems, &mut errors);
    errors.extend(raises_unknown(model, options));
    Error::all(errors)?;
    let mut problems: Vec<Problem> =
        problems.into_iter().map(|problem| problem.placed(&model.places)).collect();
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// What reading the headers gave a reason to say, and headers that declare nothing.
fn list_said(model: &Model, options: &Options, problems: &mut Vec<Problem>) {
    problems.extend(model.said.iter().map(|(item, reason)| Problem::new(item, reason)));
    let is_empty = model.functions.is_empty()
        && model.globals.is_empty()
        && model.constants.is_empty()
        && model.types.iter().next().is_none();
    if is_empty && problems.is_empty() && !options.has_allowlist() {
        let headers = options.headers.join(", ");
        problems.push(Problem::new(headers, diagnostics::header_gives_nothing()));
    }
}

/// A struct that Rust cannot represent field by field becomes bytes of the same size.
fn check_records(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    for (name, definition) in model.types.iter() {
        let Definition::Record(record) = definition else { continue };
        let layouts = Layouts { types: &model.types, target };
        let item = record.c_name.as_deref().unwrap_or(name);
        for field in &record.bit_fields {
            if let Err(reason) = layouts.of(&field.ty) {
                let reason = diagnostics::bit_field_without_accessor(&field.name, &reason);
                problems.push(Problem::new(item, reason));
            }
        }
        if !matches!(record.shape, Shape::Union) {
            continue;
        }
        for field in record.fields.iter().filter(|field| layouts.is_large(&field.ty)) {
            let size = layouts.of(&field.ty).map_or(0, |layout| layout.size);
            problems.push(Problem::new(item, diagnostics::field_large(&field.name, size)));
        }
        if let Some(reason) = unrepresentable(layouts, record) {
            problems.push(Problem::new(item, diagnostics::without_accessor(&reason)));
        }
    }
    check_structs(model, target, problems);
}

/// Turns structs into bytes until Rust can represent all others: bytes have an alignment of their
/// own, which excludes another struct that contains them.
fn check_structs(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    loop {
        let layouts = Layouts { types: &model.types, target };
        let aligned = aligned(model);
        let mut as_bytes = Vec::new();
        for (name, definition) in model.types.iter() {
            let Definition::Record(record) = definition else { continue };
            if !matches!(record.shape, Shape::Struct { .. }) || record.size == 0 {
                continue;
            }
            let reason = unrepresentable(layouts, record)
                .or_else(|| layouts.inexpressible(record, |name| aligned.contains(name)));
            if let Some(reason) = reason {
                let item = record.c_name.as_deref().unwrap_or(name);
                problems.push(Problem::new(item, diagnostics::bound_as_bytes(&reason)));
                as_bytes.push(name.to_owned());
            }
        }
        if as_bytes.is_empty() {
            return;
        }
        for name in as_bytes {
            if let Some(Definition::Record(record)) = model.types.get_mut(&name) {
                record.shape = Shape::Bytes;
            }
        }
    }
}

/// The structs and unions whose Rust has `align`, or a field that has.
fn aligned(model: &Model) -> BTreeSet<String> {
    let mut aligned = BTreeSet::new();
    loop {
        let before = aligned.len();
        for (name, definition) in model.types.iter() {
            let Definition::Record(record) = definition else { continue };
            let own = match &record.shape {
                Shape::Union | Shape::Bytes => record.align > 1,
                Shape::Struct { modifier } => {
                    modifier.as_ref().is_some_and(|modifier| modifier.contains("align"))
                }
                Shape::Newtype { .. } => false,
            };
            let holds = |ty: &Type| {
                let mut names = BTreeSet::new();
                collect_values(&model.types, ty, &mut names);
                names.iter().any(|name| aligned.contains(name))
            };
            if own || record.fields.iter().any(|field| holds(&field.ty)) {
                aligned.insert(name.to_owned());
            }
        }
        if aligned.len() == before {
            return aligned;
        }
    }
}

/// The named type that a type is, or whose elements it has.
fn collect_values(types: &Types, ty: &Type, names: &mut BTreeSet<String>) {
    match types.resolve(ty) {
        Type::Array { of, .. } => collect_values(types, of, names),
        Type::Named(name) => {
            names.insert(name.clone());
        }
        _ => {}
    }
}

/// The first field without a Rust type.
fn unrepresentable(layouts: Layouts<'_>, record: &Record) -> Option<String> {
    record.fields.iter().find_map(|field| {
        let reason = layouts.of(&field.ty).err()?;
        Some(diagnostics::field_is(&field.name, &reason))
    })
}

fn check_signatures(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let layouts = Layouts { types: &model.types, target };
    for signature in model.signatures.iter_mut().filter(|signature| signature.bound) {
        if let Some(reason) = unbindable_signature(layouts, signature) {
            problems.push(Problem::new(&signature.name, diagnostics::plain_addresses(&reason)));
            signature.bound = false;
        }
    }
}

fn unbindable_signature(layouts: Layouts<'_>, signature: &Signature) -> Option<String> {
    if let Some(convention) = &signature.convention {
        return Some(diagnostics::has_convention(convention));
    }
    if signature.variadic {
        return Some(diagnostics::pointer_is_variadic());
    }
    let types = signature.parameters.iter().map(|parameter| &parameter.ty);
    unpassable(layouts, types.chain([&signature.result]))
        .or_else(|| Frame::of_signature(layouts, &signature.parameters, &signature.result).err())
}

fn check_functions(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let layouts = Layouts { types: &model.types, target };
    model.functions.retain(|function| match unbindable_function(layouts, function) {
        Some(reason) => {
            problems.push(Problem::new(&function.c_name, diagnostics::not_bound(reason)));
            false
        }
        None => true,
    });
}

fn unbindable_function(layouts: Layouts<'_>, function: &Function) -> Option<String> {
    if let Some(convention) = &function.convention {
        return Some(diagnostics::has_convention(convention));
    }
    if function.variadic {
        return Some(diagnostics::is_variadic());
    }
    let types = function.parameters.iter().map(|parameter| &parameter.ty);
    unpassable(layouts, types.chain([&function.result]))
        .or_else(|| Frame::of_function(layouts, &function.parameters, &function.result).err())
}

/// The alignment of frames in foreign memory.
const FRAME_ALIGN: u64 = 16;

/// The first type that cannot be passed by value.
fn unpassable<'a>(layouts: Layouts<'_>, types: impl Iterator<Item = &'a Type>) -> Option<String> {
    types.into_iter().find_map(|ty| match layouts.types.resolve(ty) {
        Type::Void => None,
        Type::Array { .. } => Some(diagnostics::passes_array()),
        Type::Pointer { to, .. } => pointee_problem(layouts, to),
        other => match (layouts.of(other), layouts.types.record(other)) {
            (Err(what), _) => Some(diagnostics::passes(&what)),
            (Ok(_), Some(record)) if record.c_name.is_none() => {
                Some(diagnostics::passes_nameless())
            }
            (Ok(layout), _) if layout.align > FRAME_ALIGN => {
                Some(diagnostics::passes_aligned(layout.align))
            }
            (Ok(_), _) => None,
        },
    })
}

/// `va_list` parameters arrive as pointers.
fn pointee_problem(layouts: Layouts<'_>, pointee: &Type) -> Option<String> {
    match layouts.types.resolve(pointee) {
        Type::Unsupported(what) if what == "va_list" => Some(diagnostics::takes_va_list()),
        _ => None,
    }
}

fn check_globals(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let layouts = Layouts { types: &model.types, target };
    for global in model.globals.iter().filter(|global| layouts.is_large(&global.ty)) {
        let size = layouts.of(&global.ty).map_or(0, |layout| layout.size);
        let reason = diagnostics::global_large(size, &global.name);
        problems.push(Problem::new(&global.c_name, reason));
    }
    model.globals.retain(|global| match &global.ty {
        Type::Unsupported(what) => {
            problems.push(Problem::new(&global.c_name, diagnostics::global_is(what)));
            false
        }
        _ => true,
    });
}

fn check_constants(model: &mut Model, problems: &mut Vec<Problem>) {
    let types = &model.types;
    let macros = model.constants.iter().filter(|constant| constant.confirmed.is_some());
    let macros: BTreeSet<String> = macros.map(|constant| constant.name.clone()).collect();
    let mut seen = BTreeSet::new();
    model.constants.retain(|constant| {
        // `enum { FP_NAN = 0 };` and, for the preprocessor, `#define FP_NAN 0`: the macro's type
        // is that of the expression in C.
        let is_macro = constant.confirmed.is_some();
        let is_replaced = !is_macro && macros.contains(&constant.name);
        if is_replaced || !seen.insert(constant.name.clone()) {
            return false;
        }
        let ConstantType::Value(ty) = &constant.ty else { return true };
        let bound = match types.named(ty) {
            Some(definition) => matches!(definition, Definition::Enum(_) | Definition::Record(_)),
            None => matches!(types.resolve(ty), Type::Scalar(_)),
        };
        if !bound {
            problems.push(Problem::new(&constant.name, diagnostics::no_constant()));
        }
        bound
    });
}

/// Checks that what callbacks may raise and what destroys objects is bound.
pub(crate) fn check_needed(model: &Model, options: &Options) -> Result<()> {
    let errors = raises_unknown(model, options).chain(handles::check(model).err());
    Error::all(errors.collect())
}

/// Marks the functions that many calls are made of at once.
fn mark_batches(model: &mut Model, options: &Options) -> Result<()> {
    for pattern in &options.batches {
        let regex = whole_name("batch", pattern)?;
        let mut is_used = false;
        for function in &mut model.functions {
            if regex.is_match(&function.c_name) {
                function.is_batched = true;
                is_used = true;
            }
        }
        if !is_used {
            let names: Vec<&str> = model.annotations.keys().map(String::as_str).collect();
            return Err(patterns::nothing("batch", pattern, &names));
        }
    }
    Ok(())
}

/// The functions that callbacks may raise and that are not bound.
fn raises_unknown(model: &Model, options: &Options) -> impl Iterator<Item = Error> {
    let is_bound = |name: &String| model.functions.iter().any(|function| &function.c_name == name);
    let unknown = options.raises.iter().filter(move |name| !is_bound(name));
    unknown.map(|function| Error::RaiseUnknown { function: function.clone() })
}
