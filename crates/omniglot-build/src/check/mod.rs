//! Decides what can be bound, and says of everything else why not.

use std::collections::BTreeSet;

use regex::Regex;

use crate::layout::{Frame, Layouts};
use crate::model::{Definition, Function, Guard, Model, Opaque, Record, Shape, Signature, Type};
use crate::options::{Options, Purpose, whole_name};
use crate::scalar::Target;
use crate::{Error, Problem, Result, names};

/// Checks a model and leaves in it what can be bound.
pub(crate) fn check(model: &mut Model, options: &Options, target: &Target) -> Result<Vec<Problem>> {
    check_patterns(model, options)?;
    let mut problems = Vec::new();
    declare_missing_types(model);
    check_records(model, target, &mut problems);
    check_signatures(model, target, &mut problems);
    check_functions(model, target, &mut problems);
    check_globals(model, &mut problems);
    check_constants(model, &mut problems);
    for function in &mut model.functions {
        function.raises = options.raises.contains(&function.c_name);
    }
    list_renamed(model, &mut problems);
    rename_methods(model, &mut problems);
    rename_parameters(model);
    set_guards(model, options, &mut problems)?;
    check_raises(model, options)?;
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// A pattern of the user that matches nothing is a typing error.
fn check_patterns(model: &Model, options: &Options) -> Result<()> {
    let purposes = [Purpose::AllowFunction, Purpose::AllowType, Purpose::AllowVar];
    for purpose in purposes {
        for pattern in options.patterns(purpose) {
            let method = purpose.method();
            let regex = whole_name(method, pattern)?;
            if !matches_something(model, purpose, &regex) {
                return Err(Error::MatchesNothing { method, pattern: pattern.to_owned() });
            }
        }
    }
    Ok(())
}

fn matches_something(model: &Model, purpose: Purpose, regex: &Regex) -> bool {
    let matches = |name: &str| regex.is_match(name);
    match purpose {
        Purpose::AllowFunction => model
            .functions
            .iter()
            .any(|function| matches(&function.c_name) || matches(&function.name)),
        Purpose::AllowVar => {
            let mut constants = model.constants.iter().map(|constant| constant.name.as_str());
            constants.any(matches) || model.globals.iter().any(|global| matches(&global.c_name))
        }
        _ => model.types.iter().any(|(name, _)| matches(name)),
    }
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
            Definition::Record(record) => record.fields.iter().for_each(|field| visit(&field.ty)),
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
        if let Some(reason) = unrepresentable(layouts, record) {
            problems.push(Problem::new(item, format!("bound as bytes: {reason}")));
            if matches!(record.shape, Shape::Struct { .. }) {
                as_bytes.push(name.to_owned());
            }
        } else if record.fields.iter().any(|field| field.name.starts_with("_bitfield_")) {
            problems.push(Problem::new(
                item,
                "its bit-fields are bound as bytes, `_bitfield_1` and so on",
            ));
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
        Some(format!("the field `{}` is {reason}", field.name))
    })
}

fn check_signatures(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let layouts = Layouts { types: &model.types, target };
    for signature in &mut model.signatures {
        if let Some(reason) = unbindable_signature(layouts, signature) {
            let text =
                format!("function pointers of this type are bound as plain addresses: {reason}");
            problems.push(Problem::new(&signature.name, text));
            signature.bound = false;
        }
    }
}

fn unbindable_signature(layouts: Layouts<'_>, signature: &Signature) -> Option<String> {
    if signature.variadic {
        return Some("it is variadic".to_owned());
    }
    let types = signature.parameters.iter().map(|parameter| &parameter.ty);
    unpassable(layouts, types.chain([&signature.result]))
        .or_else(|| Frame::of_signature(layouts, &signature.parameters, &signature.result).err())
}

fn check_functions(model: &mut Model, target: &Target, problems: &mut Vec<Problem>) {
    let layouts = Layouts { types: &model.types, target };
    model.functions.retain(|function| match unbindable_function(layouts, function) {
        Some(reason) => {
            problems.push(Problem::new(&function.c_name, format!("not bound: {reason}")));
            false
        }
        None => true,
    });
}

fn unbindable_function(layouts: Layouts<'_>, function: &Function) -> Option<String> {
    if function.variadic {
        return Some("it is variadic; write a C function with a fixed parameter list".to_owned());
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
        Type::Array { .. } => Some("it passes an array or vector by value".to_owned()),
        Type::Pointer { to, .. } => pointee_problem(layouts, to),
        other => match (layouts.of(other), layouts.types.record(other)) {
            (Err(what), _) => Some(format!("it passes {what} by value")),
            (Ok(_), Some(record)) if record.c_name.is_none() => {
                Some("it passes a struct without a name".to_owned())
            }
            (Ok(layout), _) if layout.align > FRAME_ALIGN => {
                Some(format!("it passes a type by value that is aligned to {} bytes", layout.align))
            }
            (Ok(_), _) => None,
        },
    })
}

/// `va_list` parameters arrive as pointers.
fn pointee_problem(layouts: Layouts<'_>, pointee: &Type) -> Option<String> {
    match layouts.types.resolve(pointee) {
        Type::Unsupported(what) if what == "va_list" => Some("it takes a va_list".to_owned()),
        _ => None,
    }
}

fn check_globals(model: &mut Model, problems: &mut Vec<Problem>) {
    model.globals.retain(|global| match &global.ty {
        Type::Unsupported(what) => {
            problems.push(Problem::new(&global.c_name, format!("not bound: it is {what}")));
            false
        }
        _ => true,
    });
}

fn check_constants(model: &mut Model, problems: &mut Vec<Problem>) {
    let types = &model.types;
    model.constants.retain(|constant| match &constant.ty {
        crate::model::ConstantType::Value(ty) => match types.resolve(ty) {
            Type::Scalar(_) => true,
            _ if types.record(ty).is_some() => true,
            _ => {
                problems
                    .push(Problem::new(&constant.name, "not bound: a constant of no number type"));
                false
            }
        },
        crate::model::ConstantType::Text(_) => true,
    });
}

/// Types and constants named as something that every module has.
fn list_renamed(model: &Model, problems: &mut Vec<Problem>) {
    for (new, old) in &model.renamed {
        let is_constant = model.constants.iter().any(|constant| &constant.name == new);
        if is_constant || model.types.get(new).is_some() {
            let reason = format!("bound as `{new}`, since every module has something of its name");
            problems.push(Problem::new(old, reason));
        }
    }
}

/// Functions named as a method that every instance has.
fn rename_methods(model: &mut Model, problems: &mut Vec<Problem>) {
    let names = model.functions.iter().map(|function| function.name.clone());
    let taken: BTreeSet<String> = names.collect();
    let raised = model.functions.iter().filter(|function| function.raises);
    let raises = raised.map(|function| format!("raise_{}", function.name));
    let addresses = model.globals.iter().map(|global| format!("address_of_{}", global.name));
    let generated: BTreeSet<String> = raises.chain(addresses).collect();
    let is_method = |name: &String| names::is_method(name) || generated.contains(name);
    for function in &mut model.functions {
        if is_method(&function.name) {
            while is_method(&function.name) || taken.contains(&function.name) {
                function.name.push('_');
            }
            let reason = format!(
                "bound as `{}`, since every instance has a method of its name",
                function.name
            );
            problems.push(Problem::new(&function.c_name, reason));
        }
    }
}

/// A Rust parameter cannot have a constant's name, nor a newtype's.
fn rename_parameters(model: &mut Model) {
    let constants = model.constants.iter().map(|constant| constant.name.clone());
    let is_newtype = |definition: &Definition| {
        matches!(definition, Definition::Record(Record { shape: Shape::Newtype { .. }, .. }))
    };
    let newtypes = model.types.iter().filter(|(_, definition)| is_newtype(definition));
    let types: Vec<String> = newtypes.map(|(name, _)| name.to_owned()).collect();
    let taken: BTreeSet<String> =
        constants.chain(types).chain(["DESCRIPTION".to_owned()]).collect();
    for function in &mut model.functions {
        let mut used = taken.clone();
        for parameter in &mut function.parameters {
            while !used.insert(parameter.name.clone()) {
                parameter.name.push('_');
            }
        }
    }
}

fn set_guards(model: &mut Model, options: &Options, problems: &mut Vec<Problem>) -> Result<()> {
    for option in &options.guards {
        let regex = whole_name("setjmp_guard", &option.pattern)?;
        let words: BTreeSet<&str> = identifiers(&option.buffer).collect();
        let matching = |function: &&Function| regex.is_match(&function.c_name);
        // Of the expression's words, those that any matching function has as a parameter.
        let needed: BTreeSet<String> = model
            .functions
            .iter()
            .filter(matching)
            .flat_map(|function| &function.parameters)
            .map(|parameter| parameter.c_name.clone())
            .filter(|name| words.contains(name.as_str()))
            .collect();
        if !model.functions.iter().any(|function| matching(&function)) {
            let pattern = option.pattern.clone();
            return Err(Error::MatchesNothing { method: "setjmp_guard", pattern });
        }
        if needed.is_empty() {
            let (pattern, buffer) = (option.pattern.clone(), option.buffer.clone());
            return Err(Error::GuardWithoutParameter { pattern, buffer });
        }
        for function in
            model.functions.iter_mut().filter(|function| regex.is_match(&function.c_name))
        {
            guard(function, &needed, &option.buffer, problems);
        }
    }
    Ok(())
}

fn guard(
    function: &mut Function,
    needed: &BTreeSet<String>,
    buffer: &str,
    problems: &mut Vec<Problem>,
) {
    let has = |name: &String| function.parameters.iter().any(|parameter| &parameter.c_name == name);
    match needed.iter().find(|name| !has(name)) {
        Some(name) => {
            let reason = format!("not guarded against longjmp: it has no parameter `{name}`");
            problems.push(Problem::new(&function.c_name, reason));
        }
        None => function.guard = Some(Guard { buffer: buffer.to_owned() }),
    }
}

/// The identifiers of a C expression, without the names of members.
fn identifiers(expression: &str) -> impl Iterator<Item = &str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    expression.split(move |character| !is_word(character)).filter(move |word| {
        // Each word is a part of the expression, so its start says what stands before.
        let start = word.as_ptr().addr() - expression.as_ptr().addr();
        let before = expression.get(..start).unwrap_or_default().trim_end();
        !word.is_empty() && !before.ends_with('.') && !before.ends_with("->")
    })
}

/// Checks that every function that callbacks may raise is bound.
pub(crate) fn check_raises(model: &Model, options: &Options) -> Result<()> {
    let is_bound = |name: &String| model.functions.iter().any(|function| &function.c_name == name);
    match options.raises.iter().find(|name| !is_bound(name)) {
        Some(name) => Err(Error::RaiseUnknown { function: name.clone() }),
        None => Ok(()),
    }
}
