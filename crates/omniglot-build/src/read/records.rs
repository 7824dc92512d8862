//! Structs and unions.

use std::collections::BTreeSet;

use clang::{Entity, EntityKind, Type as CType, TypeKind};

use super::comments;
use super::reader::{At, Reader};
use crate::model::{BitField, Definition, Field, Record, Shape, Type};
use crate::names;
use crate::scalar::Scalar;

impl<'tu> Reader<'_, 'tu> {
    pub(super) fn record(&mut self, entity: Entity<'tu>) {
        let name = self.names.of(entity);
        if names::is_va_list(&name) || self.is_left_out(entity, &name) {
            return;
        }
        self.placed(entity, &name);
        let docs = comments::of(&entity);
        match entity.get_type().and_then(layout) {
            Some((size, align)) if entity.is_definition() => {
                let record = self.defined(entity, &name, size, align, docs);
                self.model.types.insert(name, Definition::Record(record));
            }
            _ => self.only_declared(entity, &name, docs),
        }
    }

    fn defined(
        &mut self,
        entity: Entity<'tu>,
        name: &str,
        size: u64,
        align: u64,
        docs: String,
    ) -> Record {
        let is_union = entity.get_kind() == EntityKind::UnionDecl;
        let shape = if is_union { Shape::Union } else { Shape::Struct { modifier: None } };
        let ty = entity.get_type().map(|ty| ty.get_canonical_type());
        let is_fixed = ty.is_some_and(has_const_member);
        let mut fields = Fields::default();
        for field in ty.and_then(|ty| ty.get_fields()).unwrap_or_default() {
            self.field(name, &field, &mut fields);
        }
        fields.end_run();
        distinguish(fields.fields.iter_mut().map(|field| &mut field.name));
        let Fields { fields, bit_fields, .. } = fields;
        let c_name = self.tree.spelled(&entity);
        Record { c_name, shape, fields, bit_fields, size, align, is_fixed, docs }
    }

    fn field(&mut self, record: &str, entity: &Entity<'tu>, fields: &mut Fields) {
        let Some(ty) = entity.get_type() else { return };
        let c_name =
            entity.get_name().filter(|name| !name.is_empty() && !name.contains([' ', '(']));
        let offset = entity.get_offset_of_field().ok().and_then(|bits| u64::try_from(bits).ok());
        let named = c_name.as_deref().map(names::word).unwrap_or_default();
        if let Some(width) = entity.get_bit_field_width().filter(|_| entity.is_bit_field()) {
            let ty = self.ty(ty, At { name: &named, entity: None });
            let width = u64::try_from(width).unwrap_or_default();
            fields.bits(
                c_name.map(|name| (names::escape(&name), ty)),
                offset.unwrap_or_default(),
                width,
            );
            return;
        }
        fields.end_run();
        let name = match &c_name {
            Some(name) => names::escape(name),
            None => fields.nameless(),
        };
        let word = if c_name.is_some() { named } else { name.clone() };
        let at = At { name: &format!("{record}_{word}"), entity: Some(*entity) };
        let ty = self.ty(ty, at);
        let offset = offset.map(|bits| bits / 8);
        fields.fields.push(Field { name, c_name, ty, offset, docs: comments::of(entity) });
    }
}

/// A type's size and alignment in bytes; `None` if it is only declared.
fn layout(ty: CType<'_>) -> Option<(u64, u64)> {
    let size = u64::try_from(ty.get_sizeof().ok()?).ok()?;
    let align = u64::try_from(ty.get_alignof().ok()?).ok()?;
    Some((size, align.max(1)))
}

/// A record's fields while they are read.
#[derive(Default)]
struct Fields {
    fields: Vec<Field>,
    bit_fields: Vec<BitField>,
    /// The bit-fields that follow each other, as bytes: where they start and end, in bits.
    run: Option<(u64, u64)>,
    runs: usize,
    nameless: usize,
}

impl Fields {
    /// The name of a member without one.
    fn nameless(&mut self) -> String {
        self.nameless += 1;
        format!("anonymous_{}", self.nameless)
    }

    /// Adds a bit-field to the run. One without a name only has its place.
    fn bits(&mut self, named: Option<(String, Type)>, place: u64, width: u64) {
        let (start, end) = match self.run {
            // Bits in front of the first ones belong to the byte.
            None => (place / 8 * 8, place + width),
            Some((start, end)) => (start, end.max(place + width)),
        };
        if end == start {
            return;
        }
        self.run = Some((start, end));
        if let Some((name, ty)) = named {
            let storage = self.storage();
            self.bit_fields.push(BitField { name, ty, storage, offset: place - start, width });
        }
    }

    fn storage(&self) -> String {
        format!("_bitfield_{}", self.runs + 1)
    }

    /// Adds the field that holds the run as bytes.
    fn end_run(&mut self) {
        let Some((start, end)) = self.run.take() else { return };
        let name = self.storage();
        self.runs += 1;
        let of = Box::new(Scalar::named("u8").map_or(Type::Void, Type::Scalar));
        let ty = Type::Array { of, len: (end - start).div_ceil(8) };
        let offset = Some(start / 8);
        self.fields.push(Field { name, c_name: None, ty, offset, docs: String::new() });
    }
}

/// Makes names differ, where Rust's escapes made two alike.
pub(super) fn distinguish<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut taken = BTreeSet::new();
    for name in names {
        while !taken.insert(name.clone()) {
            name.push('_');
        }
    }
}

/// Whether a struct or union has a member that is `const`, however deep: C assigns nothing to it.
fn has_const_member(record: CType<'_>) -> bool {
    record.get_canonical_type().get_fields().unwrap_or_default().iter().any(|field| {
        let mut ty = field.get_type().map(|ty| ty.get_canonical_type());
        while let Some(inner) = ty.filter(|ty| is_array(*ty)) {
            ty = inner.get_element_type().map(|ty| ty.get_canonical_type());
        }
        ty.is_some_and(|ty| ty.is_const_qualified() || has_const_member(ty))
    })
}

fn is_array(ty: CType<'_>) -> bool {
    matches!(ty.get_kind(), TypeKind::ConstantArray | TypeKind::IncompleteArray)
}
