//! Decides what can be bound, and says of everything else why not.

mod annotations;
mod booleans;
mod guards;
mod handles;
mod patterns;
mod renames;
mod wide;
mod wrappers;

use std::collections::BTreeSet;

use crate::layout::{Frame, Layouts};
use crate::model::{
    ConstantType, Definition, Function, Model, Opaque, Record, Shape, Signature, Type,
};
use crate::options::Options;
use crate::scalar::Target;
use crate::{Error, Problem, Result, described, diagnostics};

/// Checks a model and leaves in it what can be bound.
pub(crate) fn check(model: &mut Model, options: &Options, target: &Target) -> Result<Vec<Problem>> {
    let (mut problems, mut errors) = (Vec::new(), Vec::new());
    patterns::check_patterns(model, options, &mut errors);
    wide::resolve(model);
    handles::distinguish(model, options);
    described::bind(model, options, &mut errors);
    booleans::bind(model, options, target, &mut errors);
    declare_missing_types(model);
    check_records(model, target, &mut problems);
    check_signatures(model, target, &mut problems);
    check_functions(model, target, &mut problems);
    check_globals(model, target, &mut problems);
    check_constants(model, &mut problems);
    for function in &mut model.functions {
        function.raises = options.raises.contains(&function.c_name);
    }
    renames::list_renamed(model, &mut problems);
    renames::rename_methods(model, &mut problems);
    renames::rename_parameters(model);
    annotations::mark(model);
    errors.extend(wrappers::bind(model, options, target, &mut problems).err());
    guards::set_guards(model, options, &mut problems, &mut errors);
    errors.extend(raises_unknown(model, options));
    Error::all(errors)?;
    let mut problems: Vec<Problem> =
        problems.into_iter().map(|problem| placed(model, problem)).collect();
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// Says where the headers declare what a problem is about.
fn placed(model: &Model, problem: Problem) -> Problem {
    let name = problem.item.rsplit(' ').next().unwrap_or(&problem.item);
    let place = model.places.get(name);
    problem.at(place)
}

/// Types that are used but were blocked become opaque.
fn declare_missing_types(model: &mut Model) {
    let mut used = BTreeSet::new();
    each_type(model, &mut |ty| collect_names(ty, &mut used));
    for name in used {
        if model.types.get(&name).is_none() {
            let opaque = Opaque { c_name: name.clone(), docs: String::new() };
            model.types.insert(name, Definition::Opaque(opaque));
        }
    }
}

/// Visits every type that something of the model has.
fn each_type(model: &Model, visit: &mut dyn FnMut(&Type)) {
    for function in &model.functions {
        function.parameters.iter().for_each(|parameter| visit(&parameter.ty));
        visit(&function.result);
    }
    for signature in &model.signatures {
        signature.parameters.iter().for_each(|parameter| visit(&parameter.ty));
        visit(&signature.result);
    }
    model.globals.iter().for_each(|global| visit(&global.ty));
    for (_, definition) in model.types.iter() {
        match definition {
            Definition::Alias(alias) => visit(&alias.target),
            Definition::Record(record) => {
                record.fields.iter().for_each(|field| visit(&field.ty));
                record.bit_fields.iter().for_each(|field| visit(&field.ty));
            }
            Definition::Enum(_) | Definition::Opaque(_) => {}
        }
    }
}

fn collect_names(ty: &Type, names: &mut BTreeSet<String>) {
    match ty {
        Type::Named(name) => {
            names.insert(name.clone());
        }
        Type::Pointer { to, .. } => collect_names(to, names),
        Type::Array { of, .. } => collect_names(of, names),
        Type::Void | Type::Scalar(_) | Type::Function(_) | Type::Unsupported(_) => {}
    }
}

/// A struct with a field that Rust cannot have becomes bytes of the same size.
fn check_records(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let mut as_bytes = Vec::new();
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
        let is_union = matches!(record.shape, Shape::Union);
        for field in record.fields.iter().filter(|field| is_union && layouts.is_large(&field.ty)) {
            let size = layouts.of(&field.ty).map_or(0, |layout| layout.size);
            problems.push(Problem::new(item, diagnostics::field_large(&field.name, size)));
        }
        if let Some(reason) = unrepresentable(layouts, record) {
            if matches!(record.shape, Shape::Struct { .. }) {
                problems.push(Problem::new(item, diagnostics::bound_as_bytes(&reason)));
                as_bytes.push(name.to_owned());
            } else {
                problems.push(Problem::new(item, diagnostics::without_accessor(&reason)));
            }
        }
    }
    for name in as_bytes {
        if let Some(Definition::Record(record)) = model.types.get_mut(&name) {
            record.shape = Shape::Bytes;
        }
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
    for signature in &mut model.signatures {
        if let Some(reason) = unbindable_signature(layouts, signature) {
            problems.push(Problem::new(&signature.name, diagnostics::plain_addresses(&reason)));
            signature.bound = false;
        }
    }
}

fn unbindable_signature(layouts: Layouts<'_>, signature: &Signature) -> Option<String> {
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
    let mut seen = BTreeSet::new();
    model.constants.retain(|constant| {
        // `enum { FP_NAN = 0 };` and, for the preprocessor, `#define FP_NAN 0`.
        if !seen.insert(constant.name.clone()) {
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

/// The functions that callbacks may raise and that are not bound.
fn raises_unknown(model: &Model, options: &Options) -> impl Iterator<Item = Error> {
    let is_bound = |name: &String| model.functions.iter().any(|function| &function.c_name == name);
    let unknown = options.raises.iter().filter(move |name| !is_bound(name));
    unknown.map(|function| Error::RaiseUnknown { function: function.clone() })
}
