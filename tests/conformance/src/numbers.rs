//! Numbers are passed unchanged: every width, sign and bit pattern.

use core::ffi::{
    c_char, c_int, c_long, c_longlong, c_schar, c_short, c_uchar, c_uint, c_ulong, c_ulonglong,
    c_ushort,
};

use omniglot::{Error, InvalidValue, Runtime};

use crate::case::cases;
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const NUMBERS: &'static [Case<R>] = cases![
        Types, Usable:
            signed_integers_cross_at_their_ends,
            unsigned_integers_cross_at_their_ends,
            characters_and_shorts_cross_at_their_ends,
            ints_and_longs_cross_at_their_ends,
            sizes_cross_at_their_ends,
            floats_keep_their_bits,
            doubles_keep_their_bits,
            not_a_number_keeps_its_payload,
            bools_are_true_or_false,
            a_returned_bool_with_other_bits_is_no_bool,
    ];
}

/// Passes both ends of a type's range in both directions, and checks that C agrees on which is
/// which.
macro_rules! ends_cross {
    ($api:ident; $($number:ty: $echo:ident, $which:ident, $end:ident);+ $(;)?) => {$({
        let (least, greatest) = (<$number>::MIN, <$number>::MAX);
        for value in [least, greatest, 1, greatest / 2] {
            equal!($api.$echo(value), Ok(value))?;
        }
        equal!($api.$which(least), Ok(-1))?;
        equal!($api.$which(greatest), Ok(1))?;
        equal!($api.$which(1), Ok(0))?;
        equal!($api.$end(false), Ok(least))?;
        equal!($api.$end(true), Ok(greatest))?;
    })+};
}

fn signed_integers_cross_at_their_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    ends_cross! {
        api;
        i8: echo_i8, which_i8, end_i8;
        i16: echo_i16, which_i16, end_i16;
        i32: echo_i32, which_i32, end_i32;
        i64: echo_i64, which_i64, end_i64;
    }
    equal!(api.echo_i64(-1), Ok(-1))
}

fn unsigned_integers_cross_at_their_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    ends_cross! {
        api;
        u8: echo_u8, which_u8, end_u8;
        u16: echo_u16, which_u16, end_u16;
        u32: echo_u32, which_u32, end_u32;
        u64: echo_u64, which_u64, end_u64;
    }
    Ok(())
}

fn characters_and_shorts_cross_at_their_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    ends_cross! {
        api;
        c_char: echo_char, which_char, end_char;
        c_schar: echo_schar, which_schar, end_schar;
        c_uchar: echo_uchar, which_uchar, end_uchar;
        c_short: echo_short, which_short, end_short;
        c_ushort: echo_ushort, which_ushort, end_ushort;
    }
    Ok(())
}

fn ints_and_longs_cross_at_their_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    ends_cross! {
        api;
        c_int: echo_int, which_int, end_int;
        c_uint: echo_uint, which_uint, end_uint;
        c_long: echo_long, which_long, end_long;
        c_ulong: echo_ulong, which_ulong, end_ulong;
        c_longlong: echo_longlong, which_longlong, end_longlong;
        c_ulonglong: echo_ulonglong, which_ulonglong, end_ulonglong;
    }
    Ok(())
}

fn sizes_cross_at_their_ends<R: Runtime>(api: &mut Api<R>) -> Outcome {
    ends_cross! {
        api;
        usize: echo_size, which_size, end_size;
        isize: echo_distance, which_distance, end_distance;
    }
    Ok(())
}

fn floats_keep_their_bits<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let smallest = f32::from_bits(1);
    for value in [
        0.0,
        -0.0,
        1.5,
        f32::MIN,
        f32::MAX,
        f32::EPSILON,
        f32::INFINITY,
        f32::NEG_INFINITY,
        smallest,
    ] {
        equal!(api.echo_float(value).map(f32::to_bits), Ok(value.to_bits()))?;
        equal!(api.float_bits(value), Ok(value.to_bits()))?;
        equal!(api.float_of_bits(value.to_bits()).map(f32::to_bits), Ok(value.to_bits()))?;
    }
    Ok(())
}

fn doubles_keep_their_bits<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let smallest = f64::from_bits(1);
    for value in [
        0.0,
        -0.0,
        1.5,
        f64::MIN,
        f64::MAX,
        f64::EPSILON,
        f64::INFINITY,
        f64::NEG_INFINITY,
        smallest,
    ] {
        equal!(api.echo_double(value).map(f64::to_bits), Ok(value.to_bits()))?;
        equal!(api.double_bits(value), Ok(value.to_bits()))?;
        equal!(api.double_of_bits(value.to_bits()).map(f64::to_bits), Ok(value.to_bits()))?;
    }
    Ok(())
}

fn not_a_number_keeps_its_payload<R: Runtime>(api: &mut Api<R>) -> Outcome {
    // Only quiet NaNs: a processor may change signalling ones when it moves them.
    for bits in [0x7fc0_0000, 0xffc1_2345, 0x7fff_ffff] {
        equal!(api.echo_float(f32::from_bits(bits)).map(f32::to_bits), Ok(bits))?;
        equal!(api.float_of_bits(bits).map(f32::to_bits), Ok(bits))?;
    }
    for bits in [0x7ff8_0000_0000_0000, 0xfff8_1234_5678_9abc, u64::MAX] {
        equal!(api.echo_double(f64::from_bits(bits)).map(f64::to_bits), Ok(bits))?;
        equal!(api.double_of_bits(bits).map(f64::to_bits), Ok(bits))?;
    }
    Ok(())
}

fn bools_are_true_or_false<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.negate(true), Ok(false))?;
    equal!(api.negate(false), Ok(true))?;
    equal!(api.bool_of_bits(0), Ok(false))?;
    equal!(api.bool_of_bits(1), Ok(true))
}

fn a_returned_bool_with_other_bits_is_no_bool<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for bits in 2..=u8::MAX {
        let wrong = InvalidValue { type_name: "bool", value: i128::from(bits), valid: &[0, 1] };
        match api.bool_of_bits(bits) {
            Err(Error::InvalidValue(invalid)) => equal!(invalid, wrong)?,
            // A C compiler may reduce what the shim received to its lowest bit.
            other => equal!(other, Ok(bits & 1 == 1))?,
        }
    }
    holds(api.poisoned().is_none(), "an invalid value is no reason to give the instance up")
}
