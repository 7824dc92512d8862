//! Types: from libclang's to the model's.

use clang::{Entity, EntityKind, Type as CType, TypeKind};

use super::clang_types;
use super::reader::{At, Reader};
use super::{numbers, rust_names, tree};
use crate::model::{Alias, Definition, Record, Shape, Type};
use crate::names;
use crate::scalar::Scalar;

fn unsupported(what: impl Into<String>) -> Type {
    Type::Unsupported(what.into())
}

impl<'tu> Reader<'_, 'tu> {
    /// Translates a type.
    pub(super) fn ty(&mut self, ty: CType<'tu>, at: At<'_, 'tu>) -> Type {
        let ty = clang_types::plain(ty);
        if let Some(function) = clang_types::function(ty) {
            return self.anonymous_signature(function, at);
        }
        match ty.get_kind() {
            TypeKind::Void => Type::Void,
            TypeKind::Typedef => self.named_by_typedef(ty),
            TypeKind::Pointer => self.pointer(ty.get_pointee_type(), at),
            TypeKind::BlockPointer => Type::Pointer { to: Box::new(Type::Void), constant: false },
            TypeKind::Record | TypeKind::Enum => self.declared(ty),
            TypeKind::ConstantArray | TypeKind::Vector | TypeKind::ExtVector => {
                self.array(ty.get_element_type(), ty.get_size(), at)
            }
            TypeKind::IncompleteArray => self.array(ty.get_element_type(), Some(0), at),
            TypeKind::VariableArray => unsupported("an array of unknown length"),
            _ => self.number(ty),
        }
    }

    /// A parameter's type, as it is passed: arrays as pointers.
    pub(super) fn passed(&mut self, ty: CType<'tu>, at: At<'_, 'tu>) -> Type {
        let Some(element) = clang_types::elements(ty) else { return self.ty(ty, at) };
        let constant = clang_types::is_const(element) || ty.is_const_qualified();
        Type::Pointer { to: Box::new(self.ty(element, at)), constant }
    }

    fn pointer(&mut self, to: Option<CType<'tu>>, at: At<'_, 'tu>) -> Type {
        let Some(to) = to else { return unsupported("a pointer to nothing") };
        // A pointer to a typedef of a function is what the typedef is in Rust.
        if clang_types::function(to.get_canonical_type()).is_some()
            && !clang_types::is_pointer(to.get_canonical_type())
        {
            return self.ty(to, at);
        }
        let constant = clang_types::is_const(to);
        Type::Pointer { to: Box::new(self.ty(to, at)), constant }
    }

    fn array(&mut self, element: Option<CType<'tu>>, len: Option<usize>, at: At<'_, 'tu>) -> Type {
        match (element, len.and_then(|len| u64::try_from(len).ok())) {
            (Some(element), Some(len)) => Type::Array { of: Box::new(self.ty(element, at)), len },
            _ => unsupported("an array of unknown length"),
        }
    }

    fn named_by_typedef(&mut self, ty: CType<'tu>) -> Type {
        let Some(entity) = ty.get_declaration() else { return unsupported(ty.get_display_name()) };
        let name = entity.get_name().unwrap_or_default();
        if names::is_va_list(&name) {
            return unsupported("va_list");
        }
        if let Some(scalar) = clang_types::fixed(ty, &name) {
            return Type::Scalar(scalar);
        }
        Type::Named(self.names.of(entity))
    }

    fn declared(&mut self, ty: CType<'tu>) -> Type {
        let Some(entity) = ty.get_declaration() else { return unsupported(ty.get_display_name()) };
        if tree::name_of(&entity).is_some_and(|name| names::is_va_list(&name)) {
            return unsupported("va_list");
        }
        if rust_names::is_plain_integer(&entity, self.tree) {
            return self.representation(&entity);
        }
        Type::Named(self.names.of(entity))
    }

    fn number(&mut self, ty: CType<'tu>) -> Type {
        let canonical = ty.get_canonical_type();
        if let Some(scalar) = numbers::scalar(canonical.get_kind()).and_then(Scalar::named) {
            return Type::Scalar(scalar);
        }
        let name = canonical.get_display_name();
        if let Some(scalar) = atomic(&name) {
            return Type::Scalar(scalar);
        }
        match numbers::opaque(canonical) {
            Some(opaque) => self.opaque_number(&opaque),
            None => unsupported(name),
        }
    }

    fn opaque_number(&mut self, number: &numbers::OpaqueNumber) -> Type {
        let c = number.c;
        let record = Record {
            c_name: Some(c.to_owned()),
            shape: Shape::Bytes,
            fields: Vec::new(),
            bit_fields: Vec::new(),
            size: number.size,
            align: number.align,
            is_fixed: false,
            docs: format!("C's `{c}`, with which only C can calculate: its bytes."),
        };
        self.opaque.insert(number.rust, record);
        Type::Named(number.rust.to_owned())
    }

    /// A function pointer without a typedef: named after its first use; later uses of
    /// the same type get an alias of their own.
    fn anonymous_signature(&mut self, function: CType<'tu>, at: At<'_, 'tu>) -> Type {
        let own = format!("{}_fn", at.name);
        let key = function.get_display_name();
        match self.anonymous.get(&key).cloned() {
            Some(name) if name == own => Type::Function(name),
            Some(name) => {
                let alias = Alias { target: Type::Function(name), docs: String::new() };
                self.model.types.insert(own.clone(), Definition::Alias(alias));
                Type::Named(own)
            }
            None => {
                self.anonymous.insert(key, own.clone());
                self.signature(&own, function, at.entity, String::new(), false);
                Type::Function(own)
            }
        }
    }

    /// The integer that an enum is.
    pub(super) fn representation(&mut self, entity: &Entity<'tu>) -> Type {
        let integer = entity.get_definition().and_then(|entity| entity.get_enum_underlying_type());
        match integer {
            Some(integer) => self.ty(integer, At { name: "", entity: None }),
            None => Scalar::named("c_int").map_or(Type::Void, Type::Scalar),
        }
    }

    /// Whether a type is left out, as the user wants it; where it is used, it is opaque.
    pub(super) fn is_left_out(&mut self, entity: Entity<'tu>, name: &str) -> bool {
        let is_blocked = self.wanted.blocks(&entity, self.tree);
        if is_blocked {
            self.only_declared(entity, name, String::new());
        }
        is_blocked
    }

    /// A type of which only the name is known.
    pub(super) fn only_declared(&mut self, entity: Entity<'tu>, name: &str, docs: String) {
        let is_typedef = entity.get_kind() == EntityKind::TypedefDecl;
        let spelled = if is_typedef { entity.get_name() } else { self.tree.spelled(&entity) };
        let c_name = spelled.unwrap_or_else(|| name.to_owned());
        let opaque = crate::model::Opaque { c_name, docs };
        self.model.types.insert(name.to_owned(), Definition::Opaque(opaque));
    }
}

/// The number in `_Atomic(int)`, which libclang only knows by its name.
fn atomic(name: &str) -> Option<&'static Scalar> {
    let inner = name.split_once("_Atomic(")?.1.strip_suffix(')')?;
    Scalar::in_c(inner)
}
