//! Visits all types of a model.

use crate::model::{ConstantType, Definition, Model, Type};

/// Visits every type in the model.
pub(super) fn each_type(model: &Model, visit: &mut dyn FnMut(&Type)) {
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

/// As [`each_type`], to change them.
pub(super) fn each_type_mut(model: &mut Model, visit: &mut dyn FnMut(&mut Type)) {
    for function in &mut model.functions {
        function.parameters.iter_mut().for_each(|parameter| visit(&mut parameter.ty));
        visit(&mut function.result);
    }
    for signature in &mut model.signatures {
        signature.parameters.iter_mut().for_each(|parameter| visit(&mut parameter.ty));
        visit(&mut signature.result);
    }
    model.globals.iter_mut().for_each(|global| visit(&mut global.ty));
    for constant in &mut model.constants {
        if let ConstantType::Value(ty) = &mut constant.ty {
            visit(ty);
        }
    }
    for definition in model.types.values_mut() {
        match definition {
            Definition::Alias(alias) => visit(&mut alias.target),
            Definition::Record(record) => {
                record.fields.iter_mut().for_each(|field| visit(&mut field.ty));
                record.bit_fields.iter_mut().for_each(|field| visit(&mut field.ty));
            }
            Definition::Enum(_) | Definition::Opaque(_) => {}
        }
    }
}
