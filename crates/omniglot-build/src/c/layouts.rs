//! Assertions that the C compiler lays out every type as Rust does.

use super::C;
use crate::code::Item;
use crate::model::{Definition, Record, Shape};

impl C<'_> {
    pub(super) fn layouts(&mut self) {
        let bindings = self.bindings;
        for (name, definition) in bindings.model.types.iter() {
            self.unit(Some(Item::Type(name.to_owned())), |c| match definition {
                Definition::Record(record) => c.record_layout(record),
                Definition::Enum(definition) => {
                    let size = definition.repr.size(&bindings.target);
                    if let Some(name) = &definition.c_name {
                        c.assert(&format!("sizeof({name})"), size, name);
                    }
                }
                Definition::Alias(_) | Definition::Opaque(_) => {}
            });
        }
        self.line("");
    }

    fn record_layout(&mut self, record: &Record) {
        let Some(name) = record.c_name.as_deref() else { return };
        if let (Shape::Newtype { .. }, Some(field)) = (&record.shape, record.fields.first()) {
            if let Ok(layout) = self.bindings.layouts().of(&field.ty) {
                self.assert(&format!("sizeof({name})"), layout.size, name);
            }
            return;
        }
        if record.size == 0 {
            return;
        }
        self.assert(&format!("sizeof({name})"), record.size, name);
        self.assert(&format!("_Alignof({name})"), record.align, name);
        for field in &record.fields {
            if let (Some(field), Some(offset)) = (&field.c_name, field.offset) {
                self.without_macro(field, |c| {
                    c.assert(&format!("__builtin_offsetof({name}, {field})"), offset, name);
                });
            }
        }
    }

    /// Writes something in which a name does not mean the macro of that name.
    fn without_macro(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let is_macro = self.bindings.model.macros.contains(name);
        if is_macro {
            self.line(format_args!("#pragma push_macro(\"{name}\")\n#undef {name}"));
        }
        write(self);
        if is_macro {
            self.line(format_args!("#pragma pop_macro(\"{name}\")"));
        }
    }

    fn assert(&mut self, expression: &str, value: u64, name: &str) {
        self.line(format_args!("_Static_assert({expression} == {value}, \"layout of {name}\");"));
    }
}
