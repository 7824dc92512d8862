//! Functions that the user describes in C: variadic ones with certain parameters, and
//! macros. clang reads the descriptions as declarations after the headers.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::model::{Callee, Function, Model, Parameter};
use crate::options::{Described, Options};

/// What the declarations' names start with, so that they are found again.
const PREFIX: &str = "omniglot_described_";

/// The declarations, each in a file of its own that is named after the builder's call,
/// since clang's messages name the file.
pub(crate) fn files(options: &Options) -> impl Iterator<Item = (String, String)> {
    options.described.iter().map(|described| {
        let file = format!("build.rs, .{} {}", described.method(), described.name());
        (file, declaration(described))
    })
}

fn declaration(described: &Described) -> String {
    let name = described.name();
    let (result, parameters) = match described {
        Described::Variadic { parameters, .. } => ("void", parameters),
        Described::Macro { result, parameters, .. } => (result.as_str(), parameters),
    };
    format!("{result} {PREFIX}{name}({parameters});\n")
}

/// The functions that must be read even if the user's allowlists do not include them.
pub(crate) fn needed(options: &Options) -> impl Iterator<Item = String> {
    options.described.iter().filter_map(|described| match described {
        Described::Variadic { function, .. } => Some(function.clone()),
        Described::Macro { .. } => None,
    })
}

/// The name that the user gave, if a declaration is one of these.
pub(crate) fn name(declared: &str) -> Option<&str> {
    declared.strip_prefix(PREFIX)
}

/// Makes functions of the descriptions.
pub(crate) fn bind(model: &mut Model, options: &Options, errors: &mut Vec<Error>) {
    let mut taken: BTreeSet<String> =
        model.functions.iter().map(|function| function.c_name.clone()).collect();
    let declared = std::mem::take(&mut model.described);
    let mut bound = Vec::new();
    for described in &options.described {
        match bind_one(model, described, &declared, &mut taken) {
            Ok(function) => bound.push(function),
            Err(error) => errors.push(error),
        }
    }
    // The variadic function is bound, with the parameters that were described.
    let is_replaced = |function: &Function| {
        bound.iter().any(|bound| bound.callee == Callee::Variadic(function.c_name.clone()))
    };
    model.functions.retain(|function| !is_replaced(function));
    model.functions.append(&mut bound);
}

fn bind_one(
    model: &Model,
    described: &Described,
    declared: &[Function],
    taken: &mut BTreeSet<String>,
) -> Result<Function> {
    let (method, name) = (described.method(), described.name().to_owned());
    if !taken.insert(name.clone()) {
        return Err(Error::NameTaken { method, name });
    }
    let declaration = declared.iter().find(|function| function.c_name == name);
    let declaration = declaration.ok_or(Error::DescribedUnknown { method, name })?;
    function(model, described, declaration)
}

fn function(model: &Model, described: &Described, declaration: &Function) -> Result<Function> {
    match described {
        Described::Variadic { function, .. } => {
            let known = model.functions.iter().find(|known| &known.c_name == function);
            let known = known.filter(|known| known.variadic).ok_or_else(|| unknown(described))?;
            let fixed = known.parameters.clone();
            Ok(Function {
                parameters: joined(fixed, &declaration.parameters),
                result: known.result.clone(),
                docs: known.docs.clone(),
                ..described_function(declaration, Callee::Variadic(function.clone()))
            })
        }
        Described::Macro { name, .. } if model.macros.contains(name) => {
            Ok(described_function(declaration, Callee::Macro))
        }
        Described::Macro { .. } => Err(unknown(described)),
    }
}

fn unknown(described: &Described) -> Error {
    let name = match described {
        Described::Variadic { function, .. } => function,
        Described::Macro { name, .. } => name,
    };
    Error::DescribedUnknown { method: described.method(), name: name.clone() }
}

fn described_function(declaration: &Function, callee: Callee) -> Function {
    Function {
        name: declaration.name.clone(),
        c_name: declaration.c_name.clone(),
        parameters: joined(Vec::new(), &declaration.parameters),
        result: declaration.result.clone(),
        variadic: false,
        convention: None,
        callee,
        guard: None,
        raises: false,
        is_batched: false,
        is_inline: false,
        must_use: false,
        wrapping: None,
        docs: String::new(),
    }
}

/// The fixed parameters and the further ones, every name once.
fn joined(fixed: Vec<Parameter>, further: &[Parameter]) -> Vec<Parameter> {
    let mut all = fixed;
    for (index, parameter) in further.iter().enumerate() {
        let mut parameter = parameter.clone();
        if parameter.c_name == format!("arg{}", index + 1) {
            parameter.c_name = format!("arg{}", all.len() + 1);
            parameter.name = parameter.c_name.clone();
        }
        let is_taken = |name: &str| all.iter().any(|other| other.c_name == name);
        while is_taken(&parameter.c_name) {
            parameter.c_name.push('_');
            parameter.name = parameter.c_name.clone();
        }
        all.push(parameter);
    }
    all
}
