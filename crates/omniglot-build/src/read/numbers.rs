//! C's numbers, and those with which only C can calculate.

use clang::{Type, TypeKind};

/// The last segment of the Rust path of a number, by its kind.
pub(super) fn scalar(kind: TypeKind) -> Option<&'static str> {
    Some(match kind {
        TypeKind::Bool => "bool",
        TypeKind::CharS | TypeKind::CharU => "c_char",
        TypeKind::SChar => "c_schar",
        TypeKind::UChar => "c_uchar",
        TypeKind::Short => "c_short",
        TypeKind::UShort => "c_ushort",
        TypeKind::Int => "c_int",
        TypeKind::UInt => "c_uint",
        TypeKind::Long => "c_long",
        TypeKind::ULong => "c_ulong",
        TypeKind::LongLong => "c_longlong",
        TypeKind::ULongLong => "c_ulonglong",
        TypeKind::Int128 => "i128",
        TypeKind::UInt128 => "u128",
        TypeKind::Float => "f32",
        TypeKind::Double => "f64",
        _ => return None,
    })
}

/// Typedefs of the C library that Rust has as types of its own.
pub(super) fn fixed(name: &str) -> Option<&'static str> {
    Some(match name {
        "int8_t" => "i8",
        "uint8_t" => "u8",
        "int16_t" => "i16",
        "uint16_t" => "u16",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "size_t" | "uintptr_t" => "usize",
        "ssize_t" | "ptrdiff_t" | "intptr_t" => "isize",
        _ => return None,
    })
}

/// A number that passes through as bytes.
pub(super) struct OpaqueNumber {
    /// Its name in Rust, and in C.
    pub(super) rust: &'static str,
    pub(super) c: &'static str,
    pub(super) size: u64,
    pub(super) align: u64,
}

/// The number that a type is, if only C can calculate with it.
pub(super) fn opaque(ty: Type<'_>) -> Option<OpaqueNumber> {
    let ty = ty.get_canonical_type();
    let (rust, c) = match ty.get_kind() {
        TypeKind::LongDouble => ("c_long_double", "long double"),
        TypeKind::Float128 => ("c_float128", "__float128"),
        TypeKind::Float16 | TypeKind::Half => ("c_float16", "_Float16"),
        // Complex numbers, of which libclang only knows the name.
        TypeKind::Complex | TypeKind::Unexposed => {
            match ty.get_display_name().trim_start_matches("const ") {
                "_Complex float" => ("c_complex_float", "float _Complex"),
                "_Complex double" => ("c_complex_double", "double _Complex"),
                "_Complex long double" => ("c_complex_long_double", "long double _Complex"),
                _ => return None,
            }
        }
        _ => return None,
    };
    let size = u64::try_from(ty.get_sizeof().ok()?).ok()?;
    let align = u64::try_from(ty.get_alignof().ok()?).ok()?;
    Some(OpaqueNumber { rust, c, size, align })
}
