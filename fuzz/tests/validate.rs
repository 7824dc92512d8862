//! Compares the bindings' answer to which bytes are valid values with the types' definitions in C.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use omniglot::zerocopy::TryFromBytes;
use omniglot::{Error, Foreign, Frame, HEADER_SIZE};
use omniglot_conformance::conformance::{
    Colour, FloatAndInt, IntAndDouble, Mark, Mixed, Number, Padded, Pair, Sheet, Side, Wide,
    async_res_t,
};
use omniglot_fuzz::{Random, fuzz};

/// A type, with the valid values of its definition in C.
#[derive(Clone, Debug)]
enum Oracle {
    /// Any bits are valid.
    Any { size: usize },
    /// Only 0 and 1 are valid.
    Bool,
    /// Only Unicode scalar values are valid, in four bytes.
    Char,
    /// Only these numbers are valid, in four bytes.
    Enum(&'static [i128]),
    /// This many elements of one type.
    Array(Box<Self>, usize),
    /// Fields at their offsets, and the size.
    Struct(Vec<(usize, Self)>, usize),
}

const COLOUR: Oracle = Oracle::Enum(&[1, 10, 100]);
const SIDE: Oracle = Oracle::Enum(&[-1, 0, 1]);

const fn any(size: usize) -> Oracle {
    Oracle::Any { size }
}

fn array(element: Oracle, len: usize) -> Oracle {
    Oracle::Array(Box::new(element), len)
}

fn mark() -> Oracle {
    Oracle::Struct(vec![(0, COLOUR), (4, Oracle::Bool)], 8)
}

/// The offsets are those of x86-64's ABI, computed by hand from `conformance.h`.
fn sheet() -> Oracle {
    let corner = Oracle::Struct(vec![(0, any(1)), (4, SIDE)], 8);
    let fields =
        vec![(0, any(2)), (4, array(mark(), 3)), (28, array(Oracle::Bool, 4)), (32, corner)];
    Oracle::Struct(fields, 40)
}

impl Oracle {
    const fn size(&self) -> usize {
        match self {
            Self::Any { size } | Self::Struct(_, size) => *size,
            Self::Bool => 1,
            Self::Char | Self::Enum(_) => 4,
            Self::Array(element, len) => element.size() * *len,
        }
    }

    /// Returns the invalid numbers in the order of their offsets: those that a message may name.
    fn wrong(&self, bytes: &[u8]) -> Vec<i128> {
        match self {
            Self::Any { .. } => Vec::new(),
            Self::Bool => Vec::from_iter((bytes[0] > 1).then_some(i128::from(bytes[0]))),
            Self::Char => {
                let number = word(bytes);
                let is_valid = number < 0xd800 || (0xe000..0x11_0000).contains(&number);
                Vec::from_iter((!is_valid).then_some(i128::from(number)))
            }
            Self::Enum(valid) => {
                let is_signed = valid.iter().any(|number| *number < 0);
                let number = word(bytes);
                let number =
                    if is_signed { number.cast_signed().into() } else { i128::from(number) };
                Vec::from_iter((!valid.contains(&number)).then_some(number))
            }
            Self::Array(element, len) => {
                let elements = bytes.chunks(element.size()).take(*len);
                elements.flat_map(|bytes| element.wrong(bytes)).collect()
            }
            Self::Struct(fields, _) => {
                fields.iter().flat_map(|(offset, field)| field.wrong(&bytes[*offset..])).collect()
            }
        }
    }

    /// Returns bytes most of which are valid, so that invalid ones are rare and can be anywhere.
    fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = random.bytes(self.size());
        self.make_likely(&mut bytes, random);
        if random.once_in(4) {
            let size = bytes.len();
            random.mutate(&mut bytes);
            bytes.resize(size, 0);
        }
        bytes
    }

    fn make_likely(&self, bytes: &mut [u8], random: &mut Random) {
        match self {
            Self::Any { .. } => {}
            Self::Bool => bytes[0] = if random.once_in(30) { random.byte() } else { bytes[0] & 1 },
            Self::Char => {
                let number = [0, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0x10_ffff, 0x11_0000, 0xff_ffff];
                let number = if random.once_in(2) { 0x61 } else { *random.pick(&number) };
                bytes[..4].copy_from_slice(&u32::to_le_bytes(number));
            }
            Self::Enum(valid) => {
                let number = *random.pick(valid);
                let beside = if random.once_in(30) { random.edge() as u32 } else { 0 };
                let number = (number as u32).wrapping_add(beside);
                bytes[..4].copy_from_slice(&number.to_le_bytes());
            }
            Self::Array(element, len) => bytes
                .chunks_mut(element.size())
                .take(*len)
                .for_each(|bytes| element.make_likely(bytes, random)),
            Self::Struct(fields, _) => fields
                .iter()
                .for_each(|(offset, field)| field.make_likely(&mut bytes[*offset..], random)),
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Compares the answers for one type, in every way that bytes become a value.
fn compare<T: Foreign>(oracle: &Oracle, random: &mut Random) {
    assert_eq!(oracle.size(), size_of::<T>(), "{}", T::NAME);
    let bytes = oracle.bytes(random);
    let wrong = oracle.wrong(&bytes);
    let is_valid = wrong.is_empty();
    let told = T::try_read_from_bytes(&bytes);
    assert_eq!(told.is_ok(), is_valid, "{}: {bytes:02x?}: {wrong:?}", T::NAME);
    if let Ok(value) = told {
        round_trip(oracle, &value, &bytes);
    } else {
        let explained = T::explain(&bytes);
        assert!(wrong.contains(&explained.value), "{explained:?}: {wrong:?} in {bytes:02x?}");
        assert!(!explained.valid.contains(&explained.value), "{explained:?}");
    }
    in_frame::<T>(&bytes, is_valid, random);
    in_slice::<T>(oracle, &bytes, is_valid, random);
}

/// Checks that a value encodes to its own bytes, whatever was in its padding.
fn round_trip<T: Foreign>(oracle: &Oracle, value: &T, bytes: &[u8]) {
    let mut encoded = vec![0; bytes.len()];
    value.encode(&mut encoded);
    assert!(oracle.wrong(&encoded).is_empty(), "{}: {encoded:02x?} of {bytes:02x?}", T::NAME);
    let mut again = vec![0; bytes.len()];
    if let Ok(value) = T::try_read_from_bytes(&encoded) {
        value.encode(&mut again);
    }
    assert_eq!(encoded, again, "{}: of {bytes:02x?}", T::NAME);
}

/// Reads the bytes as the result of a call, at an offset that need not be aligned.
fn in_frame<T: Foreign>(bytes: &[u8], is_valid: bool, random: &mut Random) {
    let mut frame = Frame::<96>::new();
    let offset = HEADER_SIZE + random.index(frame.bytes().len() - HEADER_SIZE - bytes.len() + 1);
    frame.bytes_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    match frame.get::<T>(offset) {
        Ok(_) => assert!(is_valid, "{}: {bytes:02x?}", T::NAME),
        Err(error) => {
            assert!(!is_valid && matches!(error, Error::InvalidValue(_)), "{}: {error}", T::NAME);
        }
    }
}

/// Reads the bytes as one of several elements, all of which have to be valid.
fn in_slice<T: Foreign>(oracle: &Oracle, bytes: &[u8], is_valid: bool, random: &mut Random) {
    let others: Vec<Vec<u8>> = (0..random.below(4)).map(|_| oracle.bytes(random)).collect();
    let all_valid = is_valid && others.iter().all(|bytes| oracle.wrong(bytes).is_empty());
    let mut whole = others.concat();
    whole.extend(bytes);
    // At an alignment that suits all types.
    let mut room = vec![0_u128; whole.len().div_ceil(16)];
    let room = omniglot::zerocopy::IntoBytes::as_mut_bytes(room.as_mut_slice());
    room[..whole.len()].copy_from_slice(&whole);
    let told = <[T]>::try_ref_from_bytes(&room[..whole.len()]).is_ok();
    assert_eq!(told, all_valid, "{}: {whole:02x?}", T::NAME);
}

#[test]
fn validation_agrees_with_the_definitions() {
    type Try = fn(&Oracle, &mut Random);
    let types: Vec<(Oracle, Try)> = vec![
        (Oracle::Bool, compare::<bool>),
        (Oracle::Char, compare::<char>),
        (COLOUR, compare::<Colour>),
        (SIDE, compare::<Side>),
        (Oracle::Enum(&[0, 1, 2]), compare::<async_res_t>),
        (Oracle::Enum(&[0, 0xffff_ffff]), compare::<Wide>),
        (mark(), compare::<Mark>),
        (sheet(), compare::<Sheet>),
        (array(Oracle::Bool, 7), compare::<[bool; 7]>),
        (array(array(Oracle::Char, 2), 3), compare::<[[char; 2]; 3]>),
        (array(mark(), 5), compare::<[Mark; 5]>),
        (any(8), compare::<Pair>),
        (any(24), compare::<Padded>),
        (any(24), compare::<Mixed>),
        (any(8), compare::<FloatAndInt>),
        (any(16), compare::<IntAndDouble>),
        (any(8), compare::<Number>),
    ];
    fuzz("validate", 40_000, |random| {
        let (oracle, compare) = random.pick(&types);
        compare(oracle, random);
    });
}
