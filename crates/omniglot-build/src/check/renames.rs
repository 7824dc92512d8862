//! C names that give way to names of generated code.

use std::collections::BTreeSet;

use crate::model::{Definition, Model, Record, Shape};
use crate::{Problem, diagnostics, names};

/// Types and constants named as something that every module has.
pub(super) fn list_renamed(model: &Model, problems: &mut Vec<Problem>) {
    for (new, old) in &model.renamed {
        let is_constant = model.constants.iter().any(|constant| &constant.name == new);
        if is_constant || model.types.get(new).is_some() {
            problems.push(Problem::new(old, diagnostics::renamed_in_module(new)));
        }
    }
}

/// Functions named as a method that every instance has.
pub(super) fn rename_methods(model: &mut Model, problems: &mut Vec<Problem>) {
    let names = model.functions.iter().map(|function| function.name.clone());
    let taken: BTreeSet<String> = names.collect();
    let raised = model.functions.iter().filter(|function| function.raises);
    let raises = raised.map(|function| format!("raise_{}", function.name));
    let of_globals = model.globals.iter().flat_map(|global| {
        ["address_of", "read", "write", "view"].map(|prefix| format!("{prefix}_{}", global.name))
    });
    let generated: BTreeSet<String> = raises.chain(of_globals).collect();
    let is_method = |name: &String| names::is_method(name) || generated.contains(name);
    for function in &mut model.functions {
        if is_method(&function.name) {
            while is_method(&function.name) || taken.contains(&function.name) {
                function.name.push('_');
            }
            let reason = diagnostics::renamed_method(&function.name);
            problems.push(Problem::new(&function.c_name, reason));
        }
    }
}

/// A Rust parameter cannot have a constant's name, nor a newtype's.
pub(super) fn rename_parameters(model: &mut Model) {
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
