//! Sizes, alignments and the layout of call frames.

use crate::diagnostics;
use crate::model::{Definition, Parameter, Record, Shape, Type, Types};
use crate::scalar::Target;

/// A type's size and alignment in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) size: u64,
    pub(crate) align: u64,
}

/// Knows the layout of every type of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layouts<'a> {
    pub(crate) types: &'a Types,
    pub(crate) target: &'a Target,
}

impl Layouts<'_> {
    /// Whether a type is too large to be passed by value.
    pub(crate) fn is_large(&self, ty: &Type) -> bool {
        self.of(ty).is_ok_and(|layout| layout.size > MAX_BY_VALUE)
    }

    /// The layout of a type, or the reason why Rust and C do not share one.
    pub(crate) fn of(&self, ty: &Type) -> Result<Layout, String> {
        let pointer = self.target.pointer;
        match self.types.resolve(ty) {
            Type::Void => Err("void".to_owned()),
            Type::Scalar(scalar) => {
                Ok(Layout { size: scalar.size(self.target), align: scalar.align(self.target) })
            }
            Type::Pointer { .. } | Type::Function(_) => {
                Ok(Layout { size: pointer, align: pointer })
            }
            Type::Array { of, len } => {
                let element = self.of(of)?;
                let size = element.size.checked_mul(*len).ok_or("an array too large")?;
                Ok(Layout { size, align: element.align })
            }
            Type::Named(name) => self.of_named(name),
            Type::Unsupported(what) => Err(what.clone()),
        }
    }

    fn of_named(&self, name: &str) -> Result<Layout, String> {
        match self.types.get(name) {
            Some(Definition::Record(record)) => self.of_record(name, record),
            Some(Definition::Enum(definition)) => self.of(&Type::Scalar(definition.repr)),
            Some(Definition::Opaque(_)) | None => Err(diagnostics::only_declared(name)),
            Some(Definition::Alias(_)) => Err(diagnostics::defined_by_itself(name)),
        }
    }

    fn of_record(&self, name: &str, record: &Record) -> Result<Layout, String> {
        match (&record.shape, record.fields.first()) {
            (Shape::Newtype { .. }, Some(field)) => self.of(&field.ty),
            _ if record.size == 0 => Err(diagnostics::without_size(name)),
            _ => Ok(Layout { size: record.size, align: record.align }),
        }
    }
}

/// How Rust lays a struct out, and whether that is what C does.
impl Layouts<'_> {
    /// Why Rust cannot have a struct field by field; `None` if it can. `is_aligned` knows the
    /// structs and unions whose Rust has an alignment of its own.
    pub(crate) fn inexpressible(
        &self,
        record: &Record,
        is_aligned: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let modifier = Modifier::of(record);
        if modifier.pack.is_some() && modifier.align.is_some() {
            return Some(diagnostics::packed_and_aligned());
        }
        let aligned = record.fields.iter().find(|field| self.holds(&field.ty, &is_aligned));
        if let (Some(field), Some(_)) = (aligned, modifier.pack) {
            return Some(diagnostics::aligned_in_packed(&field.name));
        }
        (self.in_rust(record, &modifier) != Some(record.size)).then(diagnostics::laid_out_otherwise)
    }

    /// Whether a type, or its elements, has a property.
    fn holds(&self, ty: &Type, has: &impl Fn(&str) -> bool) -> bool {
        match self.types.resolve(ty) {
            Type::Array { of, .. } => self.holds(of, has),
            Type::Named(name) => has(name),
            _ => false,
        }
    }

    /// The size of a struct in Rust; `None` if Rust places or aligns something otherwise.
    fn in_rust(&self, record: &Record, modifier: &Modifier) -> Option<u64> {
        let (mut end, mut align) = (0_u64, modifier.align.unwrap_or(1));
        for field in &record.fields {
            let layout = self.of(&field.ty).ok()?;
            let own = layout.align.min(modifier.pack.unwrap_or(u64::MAX));
            let start = end.checked_next_multiple_of(own)?;
            if field.offset.is_some_and(|offset| offset != start) {
                return None;
            }
            end = start.checked_add(layout.size)?;
            align = align.max(own);
        }
        (align == record.align).then_some(end.checked_next_multiple_of(align)?)
    }
}

/// What a struct's `repr` says besides `C`.
#[derive(Debug, Default)]
struct Modifier {
    pack: Option<u64>,
    align: Option<u64>,
}

impl Modifier {
    fn of(record: &Record) -> Self {
        let mut modifier = Self::default();
        let Shape::Struct { modifier: Some(text) } = &record.shape else { return modifier };
        for part in text.split(',') {
            let (name, number) = part.split_once('(').unwrap_or((part, "1)"));
            let number = number.trim_end_matches(')').parse().ok();
            match name {
                "packed" => modifier.pack = number,
                "align" => modifier.align = number,
                _ => {}
            }
        }
        modifier
    }
}

/// Bytes at a frame's start: `uint32_t status; int32_t error_number;`.
pub(crate) const HEADER_SIZE: u64 = 8;

/// The largest value that generated code passes or returns.
pub(crate) const MAX_BY_VALUE: u64 = 4096;
/// The most that one call may pass and return. A host that nests calls to the maximum depth needs a
/// multiple of it for each, on a thread's stack of two megabytes.
const MAX_IN_ALL: u64 = 2 * MAX_BY_VALUE;

/// The layout of a call's arguments and result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) members: Vec<Member>,
    pub(crate) size: u64,
}

/// One member of a frame after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) role: MemberUse,
    pub(crate) ty: Type,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// What a member is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberUse {
    /// The parameter with this index.
    Argument(usize),
    Result,
    /// The address to call.
    Function,
}

impl Frame {
    /// The frame of a function: arguments, then the result.
    pub(crate) fn of_function(
        layouts: Layouts<'_>,
        parameters: &[Parameter],
        result: &Type,
    ) -> Result<Self, String> {
        Self::of(layouts, parameters, result, &[])
    }

    /// The frame of a signature: arguments, the result, then the function's address.
    pub(crate) fn of_signature(
        layouts: Layouts<'_>,
        parameters: &[Parameter],
        result: &Type,
    ) -> Result<Self, String> {
        let address = Type::Pointer { to: Box::new(Type::Void), constant: false };
        Self::of(layouts, parameters, result, &[(MemberUse::Function, &address)])
    }

    fn of(
        layouts: Layouts<'_>,
        parameters: &[Parameter],
        result: &Type,
        extra: &[(MemberUse, &Type)],
    ) -> Result<Self, String> {
        let mut frame = Self { members: Vec::new(), size: HEADER_SIZE };
        let mut align = 4;
        let arguments = parameters
            .iter()
            .enumerate()
            .map(|(index, parameter)| (MemberUse::Argument(index), &parameter.ty));
        let result =
            (layouts.types.resolve(result) != &Type::Void).then_some((MemberUse::Result, result));
        for (role, ty) in arguments.chain(result).chain(extra.iter().cloned()) {
            let layout = layouts.of(ty)?;
            if layout.size > MAX_BY_VALUE {
                return Err(diagnostics::passes_large(layout.size, MAX_BY_VALUE));
            }
            let offset = frame.size.next_multiple_of(layout.align);
            frame.members.push(Member { role, ty: ty.clone(), offset, size: layout.size });
            frame.size = offset.checked_add(layout.size).ok_or("more than the address space")?;
            align = align.max(layout.align);
        }
        frame.size = frame.size.next_multiple_of(align);
        if frame.size - HEADER_SIZE > MAX_IN_ALL {
            return Err(diagnostics::passes_large(frame.size - HEADER_SIZE, MAX_IN_ALL));
        }
        Ok(frame)
    }

    /// The result, unless there is none.
    pub(crate) fn result(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.role == MemberUse::Result)
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Layouts};
    use crate::model::{Parameter, Type, Types};
    use crate::scalar::{Scalar, Target};

    fn parameter(scalar: &str) -> Parameter {
        let ty = Type::Scalar(Scalar::named(scalar).unwrap());
        Parameter { name: "x".to_owned(), c_name: "x".to_owned(), ty }
    }

    #[test]
    fn frames_have_a_limit() {
        let bytes = |len| {
            let of = Box::new(Type::Scalar(Scalar::named("u8").unwrap()));
            Parameter { ty: Type::Array { of, len }, ..parameter("u8") }
        };
        let (types, target) = (Types::default(), Target::default());
        let layouts = Layouts { types: &types, target: &target };
        let frame = |parameters: &[Parameter]| {
            Frame::of_function(layouts, parameters, &Type::Void).map(|frame| frame.size)
        };
        assert_eq!(frame(&[bytes(4096), bytes(4096)]), Ok(8 + 8192));
        assert!(frame(&[bytes(4097)]).is_err_and(|reason| reason.contains("more than 4096")));
        let more = [bytes(4096), bytes(4096), bytes(1)];
        assert!(frame(&more).is_err_and(|reason| reason.contains("more than 8192")));
    }

    #[test]
    fn frames_are_laid_out_as_c_does() {
        let parameters = ["u8", "usize", "u16"].map(parameter);
        let offsets = |triple: &str| {
            let (types, target) = (Types::default(), Target::new(triple));
            let layouts = Layouts { types: &types, target: &target };
            let frame = Frame::of_function(layouts, &parameters, &parameters[0].ty).unwrap();
            let offsets: Vec<u64> = frame.members.iter().map(|member| member.offset).collect();
            (offsets, frame.size)
        };
        assert_eq!(offsets("x86_64-unknown-linux-gnu"), (vec![8, 16, 24, 26], 32));
        assert_eq!(offsets("riscv32imac-unknown-none-elf"), (vec![8, 12, 16, 18], 20));
    }
}
