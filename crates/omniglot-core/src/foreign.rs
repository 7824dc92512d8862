//! Which Rust types foreign memory can hold, and what makes their bits valid.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

use crate::error::InvalidValue;

/// A type whose values can be written to foreign memory, and read from it after their bits were
/// checked.
///
/// Implemented here for integers, floats, `bool`, `char`, addresses and arrays, and by generated
/// code for the types of a header. Soundness rests on the supertraits alone (invariant 5):
/// `TryFromBytes` says which bits are valid, `Immutable` and `Copy` rule out interior mutability
/// and `Drop`, `'static` rules out references to the host. So the trait itself is safe to
/// implement: a wrong implementation only writes or reports wrong values.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::{Api, Foreign, Ptr, Result};
///
/// /// Reads a value of any type of a header, or a default if the pointer is null.
/// fn read_or_default<A, T>(library: &A, pointer: Ptr<T>) -> Result<T>
/// where
///     A: Api + ?Sized,
///     T: Foreign + Default,
/// {
///     if pointer.is_null() { Ok(T::default()) } else { library.base().read_at(pointer) }
/// }
/// assert_eq!(read_or_default(&**library, Ptr::<u32>::null())?, 0);
/// # Ok(())
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type whose values can lie in the library's memory",
    label = "no `Foreign` type",
    note = "numbers, `bool`, `char`, `Ptr`, arrays of them, and the structs and enums of the header are; text is copied in with `scope.str(text)?`, elements with `scope.copy_in(slice)?`",
    note = "a host's reference is never one: pass the address of a copy instead"
)]
pub trait Foreign: TryFromBytes + KnownLayout + Immutable + Copy + 'static {
    /// The type's name in messages: its C name if it comes from C.
    const NAME: &'static str;

    /// Writes the value's bytes, never its padding, into `out`, which is zeroed
    /// and `size_of::<Self>()` long.
    fn encode(&self, out: &mut [u8]);

    /// The elements' bytes, for a type without padding.
    #[must_use]
    fn as_bytes(elements: &[Self]) -> Option<&[u8]> {
        let _ = elements;
        None
    }

    /// The elements' bytes, for a type without padding of which any bits are valid.
    #[must_use]
    fn as_bytes_mut(elements: &mut [Self]) -> Option<&mut [u8]> {
        let _ = elements;
        None
    }

    /// Bytes as elements, for a type of which any bits are valid: nothing is checked.
    #[must_use]
    fn slice_of(bytes: &[u8]) -> Option<&[Self]> {
        let _ = bytes;
        None
    }

    /// Describes the invalid part of `bytes`.
    #[must_use]
    fn explain(bytes: &[u8]) -> InvalidValue {
        Bits::of(bytes).invalid::<Self>(&[])
    }
}

/// The elements' bytes, [if the type has no others](Foreign::as_bytes). An implementation that
/// returned another length would cause more to be written than was checked.
pub(crate) fn bytes_of<T: Foreign>(elements: &[T]) -> Option<&[u8]> {
    T::as_bytes(elements).filter(|bytes| bytes.len() == size_of_val(elements))
}

/// The same, to be written.
pub(crate) fn bytes_of_mut<T: Foreign>(elements: &mut [T]) -> Option<&mut [u8]> {
    let size = size_of_val(elements);
    T::as_bytes_mut(elements).filter(|bytes| bytes.len() == size)
}

/// Bits read as an integer, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Bits {
    unsigned: u128,
    size: usize,
}

impl Bits {
    /// Reads up to 16 bytes in the machine's byte order.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let size = bytes.len().min(16);
        let mut wide = [0; 16];
        let room = if cfg!(target_endian = "little") {
            wide.get_mut(..size)
        } else {
            wide.get_mut(16 - size..)
        };
        if let (Some(room), Some(bytes)) = (room, bytes.get(..size)) {
            room.copy_from_slice(bytes);
        }
        Self { unsigned: u128::from_ne_bytes(wide), size }
    }

    /// The bits as an unsigned integer.
    #[must_use]
    pub const fn unsigned(self) -> i128 {
        self.unsigned as i128
    }

    /// The bits as a signed integer.
    #[must_use]
    pub const fn signed(self) -> i128 {
        if self.size == 0 {
            return 0;
        }
        let shift = 128 - 8 * self.size as u32;
        (self.unsigned << shift) as i128 >> shift
    }

    /// The error that these bits are not a valid `T`; negative if a valid value can be.
    #[must_use]
    pub fn invalid<T: Foreign>(self, valid: &'static [i128]) -> InvalidValue {
        let signed = valid.iter().any(|value| *value < 0);
        let value = if signed { self.signed() } else { self.unsigned() };
        InvalidValue { type_name: T::NAME, value, valid }
    }
}

/// Encodes a field at its offset; for generated code.
pub fn encode_field<T: Foreign>(field: &T, out: &mut [u8], offset: usize) {
    if let Some(room) = offset.checked_add(size_of::<T>()).and_then(|end| out.get_mut(offset..end))
    {
        field.encode(room);
    }
}

/// The largest value, in bytes, that is read as a whole, since it lies on the stack several times
/// on its way. For larger ones there are [views](crate::Base::view).
pub const MAX_BY_VALUE: usize = 64 << 10;

/// The compile-time error for reading something larger.
pub(crate) const TOO_LARGE: &str = "a value of more than 64 KiB is not read as a whole, since \
     that could overflow the stack: use `view`, or read its parts";

/// Explains a field's bits if they are invalid; for generated code.
#[must_use]
pub fn explain_field<T: Foreign>(bytes: &[u8], offset: usize) -> Option<InvalidValue> {
    let field = bytes.get(offset..offset.checked_add(size_of::<T>())?)?;
    let is_valid =
        if size_of::<T>() <= LARGE { is_value::<T>(field) } else { has_value::<T>(field) };
    (!is_valid).then(|| T::explain(field))
}

/// A larger value is not copied to the stack to be checked.
const LARGE: usize = 4096;

// A function by itself, so that the copy is not on the stack of callers with a larger type.
#[inline(never)]
fn is_value<T: Foreign>(bytes: &[u8]) -> bool {
    T::try_read_from_bytes(bytes).is_ok()
}

/// The same in place, which needs aligned bytes, as all are except those of packed structs.
fn has_value<T: Foreign>(bytes: &[u8]) -> bool {
    T::try_ref_from_bytes(bytes).is_ok()
}

macro_rules! foreign_numbers {
    ($($number:ty),*) => {$(
        impl Foreign for $number {
            const NAME: &'static str = stringify!($number);
            #[inline]
            fn encode(&self, out: &mut [u8]) {
                if let Some(room) = out.first_chunk_mut() {
                    *room = self.to_ne_bytes();
                }
            }
            #[inline]
            fn as_bytes(elements: &[Self]) -> Option<&[u8]> {
                Some(elements.as_bytes())
            }
            #[inline]
            fn as_bytes_mut(elements: &mut [Self]) -> Option<&mut [u8]> {
                Some(elements.as_mut_bytes())
            }
            #[inline]
            fn slice_of(bytes: &[u8]) -> Option<&[Self]> {
                <[Self]>::ref_from_bytes(bytes).ok()
            }
        }
    )*};
}

foreign_numbers!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, usize, isize, f32, f64);

impl Foreign for bool {
    const NAME: &'static str = "bool";
    fn encode(&self, out: &mut [u8]) {
        u8::from(*self).encode(out);
    }
    fn explain(bytes: &[u8]) -> InvalidValue {
        Bits::of(bytes).invalid::<Self>(&[0, 1])
    }
}

impl Foreign for char {
    const NAME: &'static str = "char";
    fn encode(&self, out: &mut [u8]) {
        u32::from(*self).encode(out);
    }
}

impl<T: Foreign, const N: usize> Foreign for [T; N] {
    const NAME: &'static str = "array";
    fn encode(&self, out: &mut [u8]) {
        for (index, element) in self.iter().enumerate() {
            encode_field(element, out, index * size_of::<T>());
        }
    }
    fn explain(bytes: &[u8]) -> InvalidValue {
        (0..N)
            .find_map(|index| explain_field::<T>(bytes, index * size_of::<T>()))
            .unwrap_or_else(|| Bits::of(bytes).invalid::<Self>(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_bits_keep_their_sign() {
        assert_eq!(Bits::of(&(-3i32).to_ne_bytes()).signed(), -3);
        assert_eq!(Bits::of(&(-3i32).to_ne_bytes()).unsigned(), i128::from(-3i32 as u32));
        assert_eq!(Bits::of(&[]).signed(), 0);
    }

    #[test]
    fn the_wrong_element_is_named() {
        let invalid = <[bool; 3]>::explain(&[1, 7, 0]);
        assert_eq!(invalid, InvalidValue { type_name: "bool", value: 7, valid: &[0, 1] });
    }
}
