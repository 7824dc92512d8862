//! Types and signatures, as both languages have them.

/// A number or pointer type.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) c: &'static str,
    pub(crate) rust: &'static str,
    pub(crate) kind: Kind,
}

/// How a scalar is made of 64 random bits, and the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Bool,
    Float,
    Double,
    Pointer,
}

const fn scalar(c: &'static str, rust: &'static str, kind: Kind) -> Scalar {
    Scalar { c, rust, kind }
}

/// All scalars; floats twice, since most of what can go wrong is in mixing them with others.
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

/// A type; numbers are places in the [`World`].
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Scalar(&'static Scalar),
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

/// A union all of whose members are as large.
#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) members: &'static [&'static str],
    pub(crate) size: usize,
}

#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) parameters: Vec<Type>,
    /// `None` is `void`.
    pub(crate) result: Option<Type>,
    /// Whether it is also the signature of a callback.
    pub(crate) callback: bool,
}

/// Everything in one library.
#[derive(Debug)]
pub(crate) struct World {
    /// The values of each.
    pub(crate) enums: Vec<Vec<i64>>,
    pub(crate) unions: Vec<Union>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) signatures: Vec<Signature>,
}
