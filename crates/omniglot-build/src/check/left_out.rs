//! What the C compiler or the linker rejected: those items are left out, and everything else stays.

use std::collections::BTreeMap;

use crate::code::Item;
use crate::diagnostics;
use crate::error::Problem;
use crate::model::{Definition, Model, Opaque};

/// Items of the header, each with the reason.
pub(crate) type LeftOut = BTreeMap<Item, String>;

/// Removes the items from the model. Items that need a type which is now only known behind pointers
/// are found by the checks that follow.
pub(super) fn apply(model: &mut Model, left_out: &LeftOut, problems: &mut Vec<Problem>) {
    for (item, reason) in left_out {
        problems.push(match item {
            Item::Function(name) => {
                model.functions.retain(|function| &function.c_name != name);
                Problem::new(name, diagnostics::not_bound(reason))
            }
            Item::Global(name) => {
                model.globals.retain(|global| &global.c_name != name);
                Problem::new(name, diagnostics::not_bound(reason))
            }
            Item::Constant(name) => {
                model.constants.retain(|constant| &constant.c_name != name);
                Problem::new(name, diagnostics::not_bound(reason))
            }
            Item::Signature(name) => {
                let signature = model.signatures.iter_mut().find(|known| &known.name == name);
                signature.into_iter().for_each(|signature| signature.bound = false);
                Problem::new(name, diagnostics::plain_addresses(reason))
            }
            Item::Type(name) => {
                let c_name = make_opaque(model, name);
                Problem::new(c_name, diagnostics::only_behind_pointers(reason))
            }
        });
    }
}

/// Gives the type's C name.
fn make_opaque(model: &mut Model, name: &str) -> String {
    let (c_name, docs) = match model.types.get(name) {
        Some(Definition::Record(record)) => (record.c_name.clone(), record.docs.clone()),
        Some(Definition::Enum(definition)) => (definition.c_name.clone(), definition.docs.clone()),
        _ => (None, String::new()),
    };
    let c_name = c_name.unwrap_or_else(|| name.to_owned());
    let opaque = Opaque { c_name: c_name.clone(), docs };
    model.types.insert(name.to_owned(), Definition::Opaque(opaque));
    c_name
}
