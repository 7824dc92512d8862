//! libclang's types, without the model.

use clang::{Type as CType, TypeKind};

use super::numbers;
use crate::names;
use crate::scalar::Scalar;

/// A type without what says nothing about it: `struct` in front, annotations, brackets.
pub(super) fn plain(ty: CType<'_>) -> CType<'_> {
    let inner = match ty.get_kind() {
        TypeKind::Elaborated => ty.get_elaborated_type(),
        // What libclang knows as a function may have brackets, or a calling convention, around it.
        TypeKind::Attributed | TypeKind::Unexposed if ty.get_result_type().is_some() => None,
        TypeKind::Attributed => ty.get_modified_type(),
        TypeKind::Unexposed => {
            Some(ty.get_canonical_type()).filter(|inner| inner.get_kind() != TypeKind::Unexposed)
        }
        _ => None,
    };
    inner.map_or(ty, plain)
}

/// The function that a type is, or that a pointer points to, without a typedef between.
pub(super) fn function(ty: CType<'_>) -> Option<CType<'_>> {
    let ty = plain(ty);
    match ty.get_kind() {
        TypeKind::FunctionPrototype | TypeKind::FunctionNoPrototype => Some(ty),
        TypeKind::Unexposed | TypeKind::Attributed => ty.get_result_type().map(|_| ty),
        TypeKind::Pointer => {
            let to = plain(ty.get_pointee_type()?);
            (to.get_kind() != TypeKind::Pointer).then(|| function(to))?
        }
        _ => None,
    }
}

/// Whether a typedef is a type of Rust's own, or the compiler's.
pub(super) fn is_built_in(ty: CType<'_>) -> bool {
    let name = ty.get_declaration().and_then(|entity| entity.get_name()).unwrap_or_default();
    names::is_va_list(&name) || fixed(ty, &name).is_some()
}

/// The number of Rust's that a typedef of the C library is.
pub(super) fn fixed(ty: CType<'_>, name: &str) -> Option<&'static Scalar> {
    let kind = ty.get_canonical_type().get_kind();
    let is_integer =
        numbers::scalar(kind).is_some_and(|name| !matches!(name, "bool" | "f32" | "f64"));
    numbers::fixed(name).filter(|_| is_integer).and_then(Scalar::named)
}

/// The elements of an array, its typedefs looked through.
pub(super) fn elements(ty: CType<'_>) -> Option<CType<'_>> {
    let ty = plain(ty);
    match ty.get_kind() {
        TypeKind::Typedef => elements(ty.get_declaration()?.get_typedef_underlying_type()?),
        TypeKind::ConstantArray | TypeKind::IncompleteArray | TypeKind::VariableArray => {
            ty.get_element_type()
        }
        _ => None,
    }
}

/// Whether nothing is written through a pointer to it: it, or its elements, are `const`.
pub(super) fn is_const(ty: CType<'_>) -> bool {
    let inner = plain(ty);
    let elements = match inner.get_kind() {
        TypeKind::ConstantArray | TypeKind::IncompleteArray => inner.get_element_type(),
        _ => None,
    };
    ty.is_const_qualified() || inner.is_const_qualified() || elements.is_some_and(is_const)
}

pub(super) fn is_pointer(ty: CType<'_>) -> bool {
    ty.get_kind() == TypeKind::Pointer
}
