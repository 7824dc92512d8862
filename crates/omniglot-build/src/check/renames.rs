//! C names that are changed because generated code uses them.

use std::collections::BTreeSet;

use crate::error::Problem;
use crate::model::{Definition, Model, Record, Shape};
use crate::options::Options;
use crate::{diagnostics, names};

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
    let batched = model.functions.iter().filter(|function| function.is_batched);
    let batches = batched.map(|function| format!("{}_batch", function.name));
    let of_globals = model.globals.iter().flat_map(|global| {
        ["address_of", "read", "write", "view"].map(|prefix| format!("{prefix}_{}", global.name))
    });
    let generated: BTreeSet<String> = raises.chain(batches).chain(of_globals).collect();
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

/// Constants named as something that every module has, or as a type that is a value too.
pub(super) fn rename_constants(model: &mut Model, options: &Options, problems: &mut Vec<Problem>) {
    let mut taken = newtypes(model);
    taken.extend(names::module_names(&options.instance()));
    for constant in &mut model.constants {
        if !taken.contains(&constant.name) {
            continue;
        }
        while taken.contains(&constant.name) {
            constant.name.push('_');
        }
        let reason = diagnostics::renamed_in_module(&constant.name);
        problems.push(Problem::new(&constant.c_name, reason));
    }
}

/// A Rust parameter cannot have a newtype's name, nor another one's.
pub(super) fn rename_parameters(model: &mut Model) {
    let mut taken = newtypes(model);
    taken.insert("DESCRIPTION".to_owned());
    for function in &mut model.functions {
        let mut used = BTreeSet::new();
        for parameter in &mut function.parameters {
            while taken.contains(&parameter.name) || !used.insert(parameter.name.clone()) {
                parameter.name.push('_');
            }
        }
    }
}

/// The types that are functions too: structs around an integer.
fn newtypes(model: &Model) -> BTreeSet<String> {
    let is_newtype = |definition: &Definition| {
        matches!(definition, Definition::Record(Record { shape: Shape::Newtype { .. }, .. }))
    };
    let newtypes = model.types.iter().filter(|(_, definition)| is_newtype(definition));
    newtypes.map(|(name, _)| name.to_owned()).collect()
}
