//! Random types and signatures.

use fastrand::Rng;

use crate::world::{DOUBLE, Kind, SCALARS, Scalar, Signature, Struct, Type, Union, World};

const STRUCTS: usize = 24;
/// One in this many signatures is also that of a callback.
pub(crate) const CALLBACK: usize = 4;
/// The largest size of a struct in bytes: some structs are passed in registers, others in memory.
const LARGEST: usize = 160;

/// Unions with the sizes of their members, which determine how C passes them.
const UNIONS: [(&[&str], usize); 5] = [
    (&["int i", "float f", "unsigned char bytes[4]"], 4),
    (&["double d", "float f[2]"], 8),
    (&["double d", "long l", "void *p"], 8),
    (&["double d[2]", "struct { float x; float y; long z; } s"], 16),
    (&["long l[3]", "double d[3]"], 24),
];

impl World {
    /// Makes a world from a seed. The same seed gives the same world, except for unsupported number
    /// types: `wide` has all of these, or `None` in their places. The first signatures do not depend
    /// on the number of signatures.
    pub(crate) fn random(seed: u64, signatures: usize, wide: &[Option<Scalar>]) -> Self {
        let mut random = Random { rng: Rng::with_seed(seed), sizes: Vec::new(), wide };
        let enums = vec![
            vec![0, 1, 2],
            vec![-7, -1, 0, 40_000],
            vec![3, 0x8000_0000, 0xffff_ffff],
            vec![5, 0x1_0000_0000, 0x7fff_ffff_ffff_fff0],
        ];
        let unions = UNIONS.iter().map(|&(members, size)| Union { members, size }).collect();
        let structs = (0..STRUCTS).map(|_| random.structure()).collect();
        let signatures = (0..signatures).map(|index| random.signature(index)).collect();
        let is_opaque = |scalar: &Scalar| matches!(scalar.kind, Kind::Bytes { .. });
        let opaque = wide.iter().copied().flatten().filter(is_opaque).collect();
        Self { opaque, enums, unions, structs, signatures }
    }
}

struct Random<'a> {
    rng: Rng,
    /// The approximate size of each struct so far.
    sizes: Vec<usize>,
    wide: &'a [Option<Scalar>],
}

impl Random<'_> {
    fn structure(&mut self) -> Struct {
        // Rust does not allow aligned types in packed ones, so packed structs have only scalars.
        let packed = self.rng.u8(..8) == 0;
        let (mut fields, mut size) = (Vec::new(), 0);
        for _ in 0..self.rng.usize(1..=6) {
            let field = match fields.is_empty() {
                _ if packed => self.unaligned(),
                true => self.scalar(),
                false => self.field(),
            };
            let larger = size + self.size(&field);
            if larger <= LARGEST {
                size = larger;
                fields.push(field);
            }
        }
        self.sizes.push(size);
        Struct { fields, packed }
    }

    fn field(&mut self) -> Type {
        let element = self.value();
        match self.rng.u8(..10) {
            0..2 => Type::Array(Box::new(element), self.rng.usize(1..=5)),
            2 => {
                let inner = Type::Array(Box::new(self.scalar()), self.rng.usize(1..=3));
                Type::Array(Box::new(inner), self.rng.usize(1..=3))
            }
            _ => element,
        }
    }

    /// Returns any type that can be passed by value.
    fn value(&mut self) -> Type {
        match self.rng.u8(..20) {
            0..2 => Type::Enum(self.rng.usize(..4)),
            2 => Type::Union(self.rng.usize(..UNIONS.len())),
            3..8 if !self.sizes.is_empty() => Type::Struct(self.rng.usize(..self.sizes.len())),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Type {
        let index = self.rng.usize(..SCALARS.len() + self.wide.len());
        Type::Scalar(match index.checked_sub(SCALARS.len()) {
            None => SCALARS[index],
            Some(index) => self.wide[index].unwrap_or(DOUBLE),
        })
    }

    /// Returns a scalar type that is also a scalar in Rust.
    fn unaligned(&mut self) -> Type {
        match self.scalar() {
            Type::Scalar(Scalar { kind: Kind::Bytes { .. }, .. }) => Type::Scalar(DOUBLE),
            scalar => scalar,
        }
    }

    fn signature(&mut self, index: usize) -> Signature {
        let parameters = (0..self.rng.usize(1..=12)).map(|_| self.value()).collect();
        let result = (self.rng.u8(..12) != 0).then(|| self.value());
        Signature { parameters, result, callback: index.is_multiple_of(CALLBACK) }
    }

    /// Estimates a type's size, as if everything were aligned to 8.
    fn size(&self, ty: &Type) -> usize {
        match ty {
            Type::Scalar(scalar) => scalar.size(),
            Type::Enum(_) => 8,
            Type::Union(index) => UNIONS.get(*index).map_or(0, |(_, size)| *size),
            Type::Struct(index) => self.sizes.get(*index).copied().unwrap_or(0),
            Type::Array(of, len) => self.size(of) * len,
        }
    }
}
