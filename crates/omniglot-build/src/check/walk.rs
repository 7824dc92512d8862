//! Visits all types of a model.

use crate::model::{ConstantType, Definition, Model, Type};

/// Visits every type in the model, to change it.
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
