//! The numbering that Rust and C agree on: shims and callback slots.

use std::collections::BTreeMap;

use crate::code::Item;
use crate::model::{Callee, Function, Global, Model, Parameter, Signature, Type};

/// One shim: what the host can ask the image to run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shim<'a> {
    /// The library's own `malloc`.
    Malloc,
    /// The library's own `free`.
    Free,
    /// Calls a function.
    Call(&'a Function),
    /// Calls a function in a callback's place: never guarded, since its `longjmp` is
    /// for the guard of the call that called back.
    Raise(&'a Function),
    /// Calls another shim many times.
    Batch,
    /// Gives the address of a global.
    Address(&'a Global),
    /// Gives the address of a function.
    Function(&'a Function),
    /// Calls a function by its address.
    Pointer(&'a Signature),
}

impl Shim<'_> {
    /// The C function that the shim calls, for messages.
    pub(crate) fn function(&self) -> &str {
        match self {
            Self::Malloc => "malloc",
            Self::Free => "free",
            Self::Batch => "batch",
            Self::Call(function) | Self::Raise(function) | Self::Function(function) => {
                &function.c_name
            }
            Self::Address(global) => &global.c_name,
            Self::Pointer(signature) => &signature.name,
        }
    }

    /// What of the header it is about.
    pub(crate) fn item(&self) -> Option<Item> {
        match self {
            Self::Malloc | Self::Free | Self::Batch => None,
            Self::Call(function) | Self::Raise(function) | Self::Function(function) => {
                Some(Item::Function(function.c_name.clone()))
            }
            Self::Address(global) => Some(Item::Global(global.c_name.clone())),
            Self::Pointer(signature) => Some(Item::Signature(signature.name.clone())),
        }
    }

    /// The name of its C function.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Malloc => "omniglot_builtin_malloc".to_owned(),
            Self::Free => "omniglot_builtin_free".to_owned(),
            Self::Batch => "omniglot_builtin_batch".to_owned(),
            Self::Call(function) => format!("omniglot_call_{}", function.c_name),
            Self::Raise(function) => format!("omniglot_raise_{}", function.c_name),
            Self::Address(global) => format!("omniglot_address_{}", global.c_name),
            Self::Function(function) => format!("omniglot_function_{}", function.c_name),
            Self::Pointer(signature) => format!("omniglot_pointer_{}", signature.name),
        }
    }
}

/// All shims of a model, in the order of their numbers.
pub(crate) fn shims(model: &Model) -> Vec<Shim<'_>> {
    let raised = |function: &&Function| function.raises && function.guard.is_some();
    let mut shims = vec![Shim::Malloc, Shim::Free];
    shims.extend(model.functions.iter().map(Shim::Call));
    shims.extend(model.functions.iter().filter(raised).map(Shim::Raise));
    shims.extend(model.globals.iter().map(Shim::Address));
    shims.extend(addressable_functions(model).map(Shim::Function));
    shims.extend(bound_signatures(model).map(Shim::Pointer));
    if model.functions.iter().any(|function| function.is_batched) {
        shims.push(Shim::Batch);
    }
    shims
}

/// The functions that some function pointer of the header can point to.
fn addressable_functions(model: &Model) -> impl Iterator<Item = &Function> {
    let kinds = Kinds::new(model);
    let own = model.functions.iter().filter(|function| function.callee == Callee::Itself);
    own.filter(move |function| kinds.of(model, function).next().is_some())
}

/// Signatures by what their types are without what pointers point to: of thousands, few are
/// compared with a function.
struct Kinds<'a>(BTreeMap<String, Vec<&'a Signature>>);

impl<'a> Kinds<'a> {
    fn new(model: &'a Model) -> Self {
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for signature in bound_signatures(model) {
            let kind = kind(model, &signature.parameters, &signature.result);
            kinds.entry(kind).or_default().push(signature);
        }
        Self(kinds)
    }

    /// The signatures that are a function's type.
    fn of(&self, model: &Model, function: &Function) -> impl Iterator<Item = &'a Signature> {
        let alike = self.0.get(&kind(model, &function.parameters, &function.result));
        let alike = alike.into_iter().flatten().copied();
        alike.filter(move |signature| has_type(model, function, signature))
    }
}

fn kind(model: &Model, parameters: &[Parameter], result: &Type) -> String {
    let types = parameters.iter().map(|parameter| &parameter.ty).chain([result]);
    let words = types.map(|ty| match model.types.resolve(ty) {
        Type::Pointer { .. } => "*".to_owned(),
        Type::Scalar(scalar) => scalar.rust.to_owned(),
        ty => format!("{ty:?}"),
    });
    words.collect::<Vec<_>>().join(",")
}

/// The functions that pointers of each signature can point to: their names, and the numbers of
/// the shims that give their addresses.
#[derive(Debug)]
pub(crate) struct Pointers(BTreeMap<String, Vec<(String, u32)>>);

impl Pointers {
    pub(crate) fn new(model: &Model, shims: &[Shim<'_>]) -> Self {
        let kinds = Kinds::new(model);
        let mut pointers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, shim) in (0..).zip(shims) {
            let Shim::Function(function) = shim else { continue };
            for signature in kinds.of(model, function) {
                let functions = pointers.entry(signature.name.clone()).or_default();
                functions.push((function.c_name.clone(), index));
            }
        }
        Self(pointers)
    }

    pub(crate) fn of(&self, signature: &Signature) -> &[(String, u32)] {
        self.0.get(&signature.name).map_or(&[], Vec::as_slice)
    }
}

/// Whether a function's type is that of a function pointer.
fn has_type(model: &Model, function: &Function, signature: &Signature) -> bool {
    let (own, other) = (&function.parameters, &signature.parameters);
    own.len() == other.len()
        && own.iter().zip(other).all(|(own, other)| is_same(model, &own.ty, &other.ty))
        && is_same(model, &function.result, &signature.result)
}

/// Whether two types are the same, but for what their pointers point to if that is
/// `void` for one: C programs cast such functions.
fn is_same(model: &Model, one: &Type, other: &Type) -> bool {
    match (model.types.resolve(one), model.types.resolve(other)) {
        (Type::Pointer { to: one, .. }, Type::Pointer { to: other, .. }) => {
            let pointees = [one, other].map(|pointee| model.types.resolve(pointee));
            pointees.contains(&&Type::Void) || is_same(model, one, other)
        }
        (one, other) => one == other,
    }
}

/// The signatures that have callback slots, in the order of their slots.
pub(crate) fn bound_signatures(model: &Model) -> impl Iterator<Item = &Signature> {
    model.signatures.iter().filter(|signature| signature.bound)
}

#[cfg(test)]
mod tests {
    use super::{Model, Shim, shims};

    #[test]
    fn builtin_shims_come_first() {
        let model = Model::default();
        let names: Vec<String> = shims(&model).iter().map(Shim::name).collect();
        assert_eq!(names, ["omniglot_builtin_malloc", "omniglot_builtin_free"]);
    }
}
