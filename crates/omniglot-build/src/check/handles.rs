//! Resolves the descriptions of owned objects against what the headers declare.

use std::collections::BTreeMap;

use crate::diagnostics;
use crate::error::{Error, Problem, Result};
use crate::handle::Handle;
use crate::layout::{Frame, Layouts};
use crate::model::{Definition, Function, Model, Opaque, Owned, Shape, Type};
use crate::options::Options;
use crate::scalar::Target;

/// Functions that make objects, and the types of these.
pub(super) type Makers = BTreeMap<String, String>;

/// How long a destructor's frame may be, in bytes: as the core's `MAX_DESTRUCTOR_FRAME`.
const MAX_FRAME: u64 = 64;

/// Makes a type of its own of `typedef void object;`: to C all pointers to it are `void *`,
/// and the host, too, only ever has its address.
pub(super) fn distinguish(model: &mut Model, options: &Options) {
    for handle in &options.handles {
        let Some(Definition::Alias(alias)) = model.types.get(&handle.ty) else { continue };
        if model.types.resolve(&alias.target) == &Type::Void {
            let opaque = Opaque { c_name: handle.ty.clone(), docs: alias.docs.clone() };
            model.types.insert(handle.ty.clone(), Definition::Opaque(opaque));
        }
    }
}

/// Finds types, destructors and constructors, and what is wrong with them.
pub(super) fn bind(
    model: &mut Model,
    options: &Options,
    target: &Target,
) -> (Makers, Vec<Problem>) {
    let (mut makers, mut problems) = (Makers::new(), Vec::new());
    for handle in &options.handles {
        match resolve(model, handle, target) {
            Ok(owned) => {
                let made = handle.constructors.iter().map(|name| (name.clone(), owned.ty.clone()));
                makers.extend(made);
                model.handles.push(owned);
            }
            Err(problem) => problems.push(problem),
        }
    }
    (makers, problems)
}

/// Checks that every destructor is still bound.
pub(super) fn check(model: &Model) -> Result<()> {
    let is_bound = |name: &str| model.functions.iter().any(|function| function.c_name == name);
    let missing = model.handles.iter().filter(|owned| !is_bound(&owned.destructor));
    let problems: Vec<Problem> = missing
        .map(|owned| {
            let reason = diagnostics::destructor_missing(&owned.name);
            Problem::new(&owned.destructor, reason).placed(&model.places)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Wrappers { problems }) }
}

fn resolve(model: &Model, handle: &Handle, target: &Target) -> Result<Owned, Problem> {
    let problem = |reason: String| Problem::new(&handle.ty, reason).placed(&model.places);
    let ty = object(model, &handle.ty).map_err(problem)?;
    let name = handle.rust_name();
    if model.handles.iter().any(|other| other.ty == ty || other.name == name) {
        return Err(problem(diagnostics::handle_twice()));
    }
    if model.types.get(&name).is_some() {
        return Err(problem(diagnostics::handle_name_taken()));
    }
    let destructor = handle.destructor.as_ref();
    let destructor = destructor.ok_or_else(|| problem(diagnostics::without_destructor()))?;
    let function = model.functions.iter().find(|function| &function.c_name == destructor);
    let layouts = Layouts { types: &model.types, target };
    match function.map(|function| destroys(layouts, function, &ty)) {
        Some(true) => Ok(Owned { name, ty, destructor: destructor.clone() }),
        found => {
            let reason = match found {
                None => diagnostics::no_function(),
                Some(_) => diagnostics::no_destructor(&handle.ty),
            };
            Err(Problem::new(destructor, reason).placed(&model.places))
        }
    }
}

/// The struct or union that a name means, or why it means none.
fn object(model: &Model, name: &str) -> Result<String, String> {
    let named = Type::Named(name.to_owned());
    let is_object = |definition: &Definition| match definition {
        Definition::Opaque(_) => true,
        Definition::Record(record) => !matches!(record.shape, Shape::Newtype { .. }),
        Definition::Alias(_) | Definition::Enum(_) => false,
    };
    match model.types.resolve(&named) {
        Type::Named(resolved) if model.types.get(resolved).is_some_and(is_object) => {
            Ok(resolved.clone())
        }
        Type::Pointer { to, .. } => Err(match model.types.pointee(&named) {
            Some(object) => diagnostics::handle_of_pointer(object),
            None if model.types.resolve(to) == &Type::Void => diagnostics::handle_of_any(),
            None => diagnostics::no_object(),
        }),
        _ => Err(diagnostics::no_object()),
    }
}

fn destroys(layouts: Layouts<'_>, function: &Function, ty: &str) -> bool {
    let [parameter] = function.parameters.as_slice() else { return false };
    let frame = Frame::of_function(layouts, &function.parameters, &function.result);
    layouts.types.pointee(&parameter.ty) == Some(ty)
        && frame.is_ok_and(|frame| frame.size <= MAX_FRAME)
}
