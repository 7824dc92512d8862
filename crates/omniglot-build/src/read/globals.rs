//! Variables: constants if their value is fixed and known, else globals.

use clang::Entity;

use super::clang_types;
use super::reader::{At, Reader};
use super::{comments, macros};
use crate::model::{Constant, Global};

impl<'tu> Reader<'_, 'tu> {
    pub(super) fn variable(&mut self, entity: Entity<'tu>) {
        let (Some(c_name), Some(ty)) = (entity.get_name(), entity.get_type()) else { return };
        let name = self.names.of_variable(&c_name);
        let docs = comments::of(&entity);
        let constant = clang_types::is_const(ty) || clang_types::is_const(ty.get_canonical_type());
        let value = macros::of_variable(&entity).filter(|_| constant);
        if let Some(found) = value.and_then(|value| self.constant(&c_name, &value)) {
            self.model.constants.push(Constant { name, docs, ..found });
            return;
        }
        let ty = self.ty(ty, At { name: &name, entity: Some(entity) });
        self.model.globals.push(Global { name, c_name, ty, constant, docs });
    }
}
