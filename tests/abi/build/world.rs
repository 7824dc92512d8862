//! Types and signatures that both languages share.

/// A number or pointer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) c: &'static str,
    pub(crate) rust: &'static str,
    pub(crate) kind: Kind,
}

/// How a scalar is made from 64 random bits, and folded back into bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Bool,
    Float,
    Double,
    Pointer,
    /// An integer of 128 bits.
    Wide,
    /// A number with which only C can compute: its size, and how many of every `unit` bytes C uses.
    /// The others are padding, which need not be preserved.
    Bytes {
        size: usize,
        unit: usize,
        used: usize,
    },
}

impl Scalar {
    /// Returns the approximate size in bytes.
    pub(crate) const fn size(&self) -> usize {
        match self.kind {
            Kind::Wide => 16,
            Kind::Bytes { size, .. } => size,
            _ => 8,
        }
    }
}

const fn scalar(c: &'static str, rust: &'static str, kind: Kind) -> Scalar {
    Scalar { c, rust, kind }
}

/// All scalars. Floats occur twice, since most errors are likely where they are mixed with others.
pub(crate) static SCALARS: &[Scalar] = &[
    scalar("_Bool", "bool", Kind::Bool),
    scalar("char", "core::ffi::c_char", Kind::Integer),
    scalar("signed char", "i8", Kind::Integer),
    scalar("unsigned char", "u8", Kind::Integer),
    scalar("short", "i16", Kind::Integer),
    scalar("unsigned short", "u16", Kind::Integer),
    scalar("int", "i32", Kind::Integer),
    scalar("unsigned", "u32", Kind::Integer),
    scalar("long", "core::ffi::c_long", Kind::Integer),
    scalar("unsigned long", "core::ffi::c_ulong", Kind::Integer),
    scalar("long long", "i64", Kind::Integer),
    scalar("unsigned long long", "u64", Kind::Integer),
    scalar("int8_t", "i8", Kind::Integer),
    scalar("uint16_t", "u16", Kind::Integer),
    scalar("int32_t", "i32", Kind::Integer),
    scalar("uint64_t", "u64", Kind::Integer),
    scalar("size_t", "usize", Kind::Integer),
    scalar("float", "f32", Kind::Float),
    scalar("float", "f32", Kind::Float),
    scalar("double", "f64", Kind::Double),
    scalar("double", "f64", Kind::Double),
    scalar("void *", "Ptr<Void>", Kind::Pointer),
    scalar("const char *", "Ptr<core::ffi::c_char>", Kind::Pointer),
];

/// Replaces unsupported types.
pub(crate) static DOUBLE: Scalar = scalar("double", "f64", Kind::Double);

const fn bytes(c: &'static str, rust: &'static str, size: usize, unit: usize) -> Scalar {
    Scalar { c, rust, kind: Kind::Bytes { size, unit, used: unit } }
}

/// Number types that not every compiler supports on every machine.
const WIDE: [Scalar; 8] = [
    scalar("__int128", "i128", Kind::Wide),
    scalar("unsigned __int128", "u128", Kind::Wide),
    bytes("long double", "lib::c_long_double", 16, 16),
    bytes("float _Complex", "lib::c_complex_float", 8, 8),
    bytes("double _Complex", "lib::c_complex_double", 16, 16),
    bytes("long double _Complex", "lib::c_complex_long_double", 32, 16),
    bytes("_Float16", "lib::c_float16", 2, 2),
    bytes("__float128", "lib::c_float128", 16, 16),
];

/// Returns the number types that an architecture may support.
pub(crate) fn wide(architecture: &str) -> [Scalar; 8] {
    WIDE.map(|scalar| match scalar.kind {
        // The x87 format: System V ABI for x86-64, 3.1.2.
        Kind::Bytes { size, unit, .. }
            if architecture == "x86_64" && scalar.c.starts_with("long double") =>
        {
            Scalar { kind: Kind::Bytes { size, unit, used: 10 }, ..scalar }
        }
        _ => scalar,
    })
}

/// A type. Numbers are indices into the [`World`].
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Scalar(Scalar),
    Enum(usize),
    Struct(usize),
    Union(usize),
    Array(Box<Type>, usize),
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Type>,
    pub(crate) packed: bool,
}

/// A union whose members all have the same size.
#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) members: &'static [&'static str],
    pub(crate) size: usize,
}

#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) parameters: Vec<Type>,
    /// The result's type; `None` for `void`.
    pub(crate) result: Option<Type>,
    /// True if it is also the signature of a callback.
    pub(crate) callback: bool,
}

/// The contents of one library.
#[derive(Debug)]
pub(crate) struct World {
    /// Number types with which only C can compute.
    pub(crate) opaque: Vec<Scalar>,
    /// The values of each enum.
    pub(crate) enums: Vec<Vec<i64>>,
    pub(crate) unions: Vec<Union>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) signatures: Vec<Signature>,
}
