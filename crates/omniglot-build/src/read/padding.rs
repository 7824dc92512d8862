//! How Rust lays structs out as C does: packed, aligned, with bytes between.

use crate::layout::Layouts;
use crate::model::{Definition, Field, Model, Record, Shape, Type};
use crate::scalar::{Scalar, Target};

/// Adds to each struct what makes Rust place its fields where C does, as far as that can be.
pub(super) fn arrange(model: &mut Model, target: &Target) {
    let layouts = Layouts { types: &model.types, target };
    let arranged: Vec<(String, Arranged)> = model
        .types
        .iter()
        .filter_map(|(name, definition)| match definition {
            Definition::Record(record) if matches!(record.shape, Shape::Struct { .. }) => {
                Some((name.to_owned(), Arranged::new(layouts, record)?))
            }
            _ => None,
        })
        .collect();
    for (name, Arranged { modifier, added, .. }) in arranged {
        let Some(Definition::Record(record)) = model.types.get_mut(&name) else { continue };
        record.shape = Shape::Struct { modifier };
        for (count, (index, field)) in added.into_iter().enumerate() {
            record.fields.insert(index + count, field);
        }
    }
}

/// What a struct has in Rust besides its fields.
struct Arranged {
    modifier: Option<String>,
    /// Fields, and which of its own they come before.
    added: Vec<(usize, Field)>,
    paddings: usize,
}

impl Arranged {
    /// `None` if a field has no layout: then Rust does not have the struct field by field.
    fn new(layouts: Layouts<'_>, record: &Record) -> Option<Self> {
        let fields = record.fields.iter().map(|field| {
            let layout = layouts.of(&field.ty).ok()?;
            Some((field.offset?, layout.size, layout.align))
        });
        let fields = fields.collect::<Option<Vec<(u64, u64, u64)>>>()?;
        let most = fields.iter().map(|(.., align)| *align).max().unwrap_or(1);
        let is_packed =
            most > record.align || fields.iter().any(|(offset, _, align)| offset % align != 0);
        let pack = if is_packed { record.align } else { u64::MAX };
        let is_looser = fields.iter().any(|(offset, _, align)| offset % pack.min(*align) != 0);
        let modifier = match record.align {
            1 if is_packed => Some("packed".to_owned()),
            align if is_looser => Some(format!("packed,align({align})")),
            align if is_packed => Some(format!("packed({align})")),
            align if align > most => Some(format!("align({align})")),
            _ => None,
        };
        let mut arranged = Self { modifier, added: Vec::new(), paddings: 0 };
        if let (false, Some(ty)) = (is_packed || record.align <= most, integer(record.align)) {
            // Unlike a struct with an alignment of its own, one with such a field can be in a packed one.
            arranged.modifier = None;
            arranged.added.push((0, field("_omniglot_align".to_owned(), 0, ty, 0)));
        }
        let mut end = 0_u64;
        for (index, (offset, size, align)) in fields.iter().enumerate() {
            if end.checked_next_multiple_of(pack.min(*align))? < *offset {
                arranged.pad(index, end, *offset);
            }
            end = offset.checked_add(*size)?;
        }
        if end.checked_next_multiple_of(record.align)? < record.size {
            arranged.pad(fields.len(), end, record.size);
        }
        Some(arranged)
    }

    fn pad(&mut self, before: usize, start: u64, end: u64) {
        let name = format!("_omniglot_padding_{}", self.paddings);
        self.paddings += 1;
        let Some(byte) = integer(1) else { return };
        self.added.push((before, field(name, start, byte, end - start)));
    }
}

/// The integer of so many bytes, which it is aligned to.
fn integer(align: u64) -> Option<&'static Scalar> {
    Scalar::named(&format!("u{}", 8 * align)).filter(|_| align <= 8)
}

/// A field that C does not have.
fn field(name: String, offset: u64, element: &'static Scalar, len: u64) -> Field {
    let ty = Type::Array { of: Box::new(Type::Scalar(element)), len };
    Field { name, c_name: None, ty, offset: Some(offset), docs: String::new() }
}
