//! Function pointers of one type in C are one type in Rust, however many names it has.

use std::collections::BTreeMap;

use super::walk::each_type_mut;
use crate::model::{Alias, Definition, Model, Signature, Type, Types};

/// Merges signatures of the same type: the first typedef's name stays, or else the first one that
/// was made up, and the others are aliases of it.
pub(super) fn merge(model: &mut Model) {
    // What was two types may differ only by two types that have become one.
    loop {
        let merged = duplicates(model);
        if merged.is_empty() {
            return;
        }
        model.signatures.retain(|signature| !merged.contains_key(&signature.name));
        each_type_mut(model, &mut |ty| rename(ty, &merged));
        for (name, kept) in merged {
            let docs = match model.types.get(&name) {
                Some(Definition::Alias(alias)) => alias.docs.clone(),
                _ => String::new(),
            };
            let alias = Alias { target: Type::Function(kept), docs };
            model.types.insert(name, Definition::Alias(alias));
        }
    }
}

/// Signatures that are another one, by their names.
fn duplicates(model: &Model) -> BTreeMap<String, String> {
    let mut alike: BTreeMap<String, Vec<&Signature>> = BTreeMap::new();
    for signature in &model.signatures {
        alike.entry(key(&model.types, signature)).or_default().push(signature);
    }
    let mut merged = BTreeMap::new();
    for signatures in alike.values() {
        let kept = signatures.iter().find(|signature| signature.named).or(signatures.first());
        let Some(kept) = kept else { continue };
        let others = signatures.iter().filter(|signature| signature.name != kept.name);
        merged.extend(others.map(|other| (other.name.clone(), kept.name.clone())));
    }
    merged
}

/// What two signatures have in common if they are one type.
fn key(types: &Types, signature: &Signature) -> String {
    let Signature { parameters, result, variadic, convention, .. } = signature;
    let parameters: Vec<String> =
        parameters.iter().map(|parameter| word(types, &parameter.ty)).collect();
    let result = word(types, result);
    format!("{result}({}) {variadic} {convention:?}", parameters.join(", "))
}

fn word(types: &Types, ty: &Type) -> String {
    match types.resolve(ty) {
        Type::Void => "void".to_owned(),
        Type::Scalar(scalar) => scalar.rust.to_owned(),
        Type::Pointer { to, constant } => {
            let qualifier = if *constant { "const " } else { "" };
            format!("{qualifier}*{}", word(types, to))
        }
        Type::Array { of, len } => format!("[{len}]{}", word(types, of)),
        Type::Function(name) => format!("fn {name}"),
        Type::Named(name) => format!("type {name}"),
        Type::Unsupported(what) => format!("no type {what}"),
    }
}

fn rename(ty: &mut Type, merged: &BTreeMap<String, String>) {
    match ty {
        Type::Function(name) => {
            if let Some(kept) = merged.get(name) {
                name.clone_from(kept);
            }
        }
        Type::Pointer { to, .. } => rename(to, merged),
        Type::Array { of, .. } => rename(of, merged),
        Type::Void | Type::Scalar(_) | Type::Named(_) | Type::Unsupported(_) => {}
    }
}
