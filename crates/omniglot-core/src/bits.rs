//! C's bit-fields: numbers of any width, packed into bytes; for generated code.

use crate::error::{InvalidValue, Result};

/// Reads the bit-field of `width` bits that starts `offset` bits into its storage.
///
/// ```
/// // struct { unsigned low : 3; int high : 5; } holding 2 and -1
/// let storage = [0b11111_010];
/// assert_eq!(omniglot_core::get_bits(&storage, 0, 3, false), 2);
/// assert_eq!(omniglot_core::get_bits(&storage, 3, 5, true), -1);
/// ```
#[must_use]
pub fn get_bits(storage: &[u8], offset: usize, width: usize, signed: bool) -> i128 {
    let bits = (0..width).map(|index| (index, place(offset + index)));
    let value = bits.fold(0_i128, |value, (index, (byte, mask))| {
        let set = storage.get(byte).is_some_and(|byte| byte & mask != 0);
        value | i128::from(set) << weight(index, width)
    });
    let (_, maximum) = range(width, signed);
    if value > maximum { value - (1 << width) } else { value }
}

/// Writes a bit-field and leaves the bits around it alone.
///
/// # Errors
/// [`Error::InvalidValue`](crate::Error::InvalidValue), naming `type_name`, if the value
/// does not fit: C would cut it off silently.
///
/// ```
/// let mut storage = [0];
/// omniglot_core::put_bits(&mut storage, 3, 5, true, -1, "int : 5").unwrap();
/// assert_eq!(storage, [0b11111_000]);
/// assert!(omniglot_core::put_bits(&mut storage, 3, 5, true, 16, "int : 5").is_err());
/// ```
pub fn put_bits(
    storage: &mut [u8],
    offset: usize,
    width: usize,
    signed: bool,
    value: i128,
    type_name: &'static str,
) -> Result<()> {
    let (minimum, maximum) = range(width, signed);
    if !(minimum..=maximum).contains(&value) {
        return Err(InvalidValue { type_name, value, valid: &[] }.into());
    }
    for index in 0..width {
        let (byte, mask) = place(offset + index);
        if let Some(byte) = storage.get_mut(byte) {
            *byte =
                if value >> weight(index, width) & 1 == 1 { *byte | mask } else { *byte & !mask };
        }
    }
    Ok(())
}

/// The smallest and the largest value. C has no bit-field wider than 64 bits.
fn range(width: usize, signed: bool) -> (i128, i128) {
    let width = width.clamp(1, 64);
    if signed { (-(1 << (width - 1)), (1 << (width - 1)) - 1) } else { (0, (1 << width) - 1) }
}

/// The byte that holds a bit, and the bit in it: C counts from the end that the
/// machine's integers start with.
const fn place(bit: usize) -> (usize, u8) {
    let mask = if cfg!(target_endian = "little") { 1 << (bit % 8) } else { 0x80 >> (bit % 8) };
    (bit / 8, mask)
}

/// Which power of two a bit stands for.
const fn weight(index: usize, width: usize) -> usize {
    if cfg!(target_endian = "little") { index } else { width - 1 - index }
}

#[cfg(test)]
mod tests {
    use super::{get_bits, put_bits};

    #[test]
    fn fields_cross_bytes_and_leave_their_neighbours_alone() {
        for (offset, width) in [(0, 1), (3, 5), (6, 9), (1, 62), (7, 64)] {
            let mut storage = [0xff; 10];
            put_bits(&mut storage, offset, width, false, 0, "").unwrap();
            let cleared: u32 = storage.iter().map(|byte| byte.count_zeros()).sum();
            assert_eq!(cleared as usize, width, "{offset} {width}");
            put_bits(&mut storage, offset, width, true, -1, "").unwrap();
            assert_eq!(storage, [0xff; 10]);
            assert_eq!(get_bits(&storage, offset, width, true), -1);
            assert_eq!(get_bits(&storage, offset, width, false), (1 << width) - 1);
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let mut storage = [0];
        for (signed, value) in [(false, 8), (false, -1), (true, 4), (true, -5)] {
            assert!(put_bits(&mut storage, 0, 3, signed, value, "").is_err(), "{value}");
        }
        assert_eq!(storage, [0]);
    }
}
