//! C's numbers: how Rust and C spell them and how large they are.

/// A number type with one spelling in each language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The last segment of the Rust path.
    pub(crate) rust: &'static str,
    /// The C spelling.
    pub(crate) c: &'static str,
    width: Width,
    signed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Bytes(u64),
    Long,
    Pointer,
}

const fn scalar(rust: &'static str, c: &'static str, width: Width, signed: bool) -> Scalar {
    Scalar { rust, c, width, signed }
}

static SCALARS: [Scalar; 27] = [
    scalar("bool", "_Bool", Width::Bytes(1), false),
    scalar("u8", "uint8_t", Width::Bytes(1), false),
    scalar("i8", "int8_t", Width::Bytes(1), true),
    scalar("u16", "uint16_t", Width::Bytes(2), false),
    scalar("i16", "int16_t", Width::Bytes(2), true),
    scalar("u32", "uint32_t", Width::Bytes(4), false),
    scalar("i32", "int32_t", Width::Bytes(4), true),
    scalar("u64", "uint64_t", Width::Bytes(8), false),
    scalar("i64", "int64_t", Width::Bytes(8), true),
    scalar("u128", "unsigned __int128", Width::Bytes(16), false),
    scalar("i128", "__int128", Width::Bytes(16), true),
    scalar("usize", "size_t", Width::Pointer, false),
    scalar("isize", "ptrdiff_t", Width::Pointer, true),
    scalar("f32", "float", Width::Bytes(4), true),
    scalar("f64", "double", Width::Bytes(8), true),
    scalar("c_char", "char", Width::Bytes(1), true),
    scalar("c_schar", "signed char", Width::Bytes(1), true),
    scalar("c_uchar", "unsigned char", Width::Bytes(1), false),
    scalar("c_short", "short", Width::Bytes(2), true),
    scalar("c_ushort", "unsigned short", Width::Bytes(2), false),
    scalar("c_int", "int", Width::Bytes(4), true),
    scalar("c_uint", "unsigned int", Width::Bytes(4), false),
    scalar("c_long", "long", Width::Long, true),
    scalar("c_ulong", "unsigned long", Width::Long, false),
    scalar("c_longlong", "long long", Width::Bytes(8), true),
    scalar("c_ulonglong", "unsigned long long", Width::Bytes(8), false),
    scalar("c_float", "float", Width::Bytes(4), true),
];

impl Scalar {
    /// Finds a scalar by the last segment of its Rust path.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        match name {
            "c_double" => Self::named("f64"),
            _ => SCALARS.iter().find(|scalar| scalar.rust == name),
        }
    }

    /// Finds a scalar by its C spelling.
    pub(crate) fn in_c(spelling: &str) -> Option<&'static Self> {
        SCALARS.iter().find(|scalar| scalar.c == spelling)
    }

    /// The size in bytes.
    pub(crate) fn size(&self, target: &Target) -> u64 {
        match self.width {
            Width::Bytes(bytes) => bytes,
            Width::Long => target.long,
            Width::Pointer => target.pointer,
        }
    }

    /// Whether it has a sign; of `char` the target decides.
    pub(crate) fn is_signed(&self, target: &Target) -> bool {
        if self.rust == "c_char" { target.has_signed_char() } else { self.signed }
    }

    /// The alignment in bytes.
    pub(crate) fn align(&self, target: &Target) -> u64 {
        match self.size(target) {
            // Where C has integers of this size at all, they are aligned to it.
            16 => 16,
            size => size.min(target.max_align),
        }
    }
}

/// What the layout of C's types depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    triple: String,
    /// Bytes of a pointer.
    pub(crate) pointer: u64,
    long: u64,
    max_align: u64,
}

/// The targets whose shims this crate compiles: those with worker processes.
const COMPILED: [&str; 3] =
    ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl"];

impl Target {
    /// Knows a target from its triple.
    pub(crate) fn new(triple: &str) -> Self {
        let architecture = triple.split('-').next().unwrap_or_default();
        let short = architecture.contains("32") || triple.ends_with("gnux32");
        let wide =
            !short && ["64", "s390x", "alpha"].iter().any(|part| architecture.contains(part));
        let pointer = if wide { 8 } else { 4 };
        let long = if triple.contains("windows") { 4 } else { pointer };
        let x86 = architecture.starts_with('i') && architecture.ends_with("86");
        let max_align = if x86 && !triple.contains("windows") { 4 } else { 8 };
        Self { triple: triple.to_owned(), pointer, long, max_align }
    }

    /// Whether shims are compiled for it, and not only Rust generated.
    pub(crate) fn is_compiled(&self) -> bool {
        COMPILED.contains(&&*self.triple)
    }

    /// Whether it is a machine without an operating system, for which images are flat.
    pub(crate) fn is_bare(&self) -> bool {
        self.triple.starts_with("riscv32") && self.triple.ends_with("-none-elf")
    }

    /// The name of the target in the paths of its libraries and headers; `None` if none are known.
    pub(crate) fn multiarch(&self) -> Option<String> {
        let architecture = self.triple.split('-').next()?;
        self.is_compiled().then(|| format!("{architecture}-linux-gnu"))
    }

    /// Whether `char` has a sign, by the platforms' calling conventions; core's `c_char` is the
    /// same.
    fn has_signed_char(&self) -> bool {
        const UNSIGNED: [&str; 6] = ["aarch64", "arm", "hexagon", "powerpc", "riscv", "s390x"];
        let is_other = ["apple", "windows"].iter().any(|system| self.triple.contains(system));
        is_other || !UNSIGNED.iter().any(|architecture| self.triple.starts_with(architecture))
    }

    /// The name that clang has for it. Which C library a host is linked against says nothing of its
    /// foreign libraries: their compiler decides that, and clang finds glibc's headers behind those
    /// that it is told.
    pub(crate) fn clang(&self) -> String {
        let (architecture, rest) = self.triple.split_once('-').unwrap_or((&self.triple, ""));
        let architecture = match architecture {
            riscv if riscv.starts_with("riscv32") => "riscv32",
            riscv if riscv.starts_with("riscv64") => "riscv64",
            other => other,
        };
        format!("{architecture}-{}", rest.replace("-musl", "-gnu"))
    }

    pub(crate) fn triple(&self) -> &str {
        &self.triple
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::new(COMPILED[0])
    }
}

#[cfg(test)]
mod tests {
    use super::{Scalar, Target};

    #[test]
    fn a_character_has_a_sign_where_the_platform_says_so() {
        let signed = |triple: &str| {
            let scalar = Scalar::named("c_char").unwrap();
            scalar.is_signed(&Target::new(triple))
        };
        for triple in ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "i686-unknown-linux-gnu"]
        {
            assert!(signed(triple), "{triple}");
        }
        for triple in ["aarch64-unknown-linux-gnu", "riscv32imac-unknown-none-elf"] {
            assert!(!signed(triple), "{triple}");
        }
    }

    #[test]
    fn sizes_follow_the_target() {
        let sizes = |triple: &str| {
            let target = Target::new(triple);
            ["c_long", "usize", "i64"].map(|name| {
                let scalar = Scalar::named(name).unwrap();
                (scalar.size(&target), scalar.align(&target))
            })
        };
        assert_eq!(sizes("x86_64-unknown-linux-gnu"), [(8, 8), (8, 8), (8, 8)]);
        assert_eq!(sizes("aarch64-unknown-linux-gnu"), [(8, 8), (8, 8), (8, 8)]);
        assert_eq!(sizes("riscv32imac-unknown-none-elf"), [(4, 4), (4, 4), (8, 8)]);
        assert_eq!(sizes("i686-unknown-linux-gnu"), [(4, 4), (4, 4), (8, 4)]);
        assert_eq!(sizes("thumbv7em-none-eabihf"), [(4, 4), (4, 4), (8, 8)]);
        assert_eq!(sizes("x86_64-pc-windows-msvc"), [(4, 4), (8, 8), (8, 8)]);
        assert_eq!(sizes("aarch64-apple-darwin"), [(8, 8), (8, 8), (8, 8)]);
    }

    #[test]
    fn clang_knows_the_architecture_without_extensions() {
        assert_eq!(Target::new("riscv32imac-unknown-none-elf").clang(), "riscv32-unknown-none-elf");
    }
}
