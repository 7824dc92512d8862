//! Many arguments: more than fit in registers, in every mixture.

use omniglot::Runtime;

use crate::case::cases;
use crate::conformance::{FloatPair, IntAndDouble, Large, Mixed, Padded, Pair};
use crate::failure::equal;
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const ARGUMENTS: &'static [Case<R>] = cases![
        Types, Usable:
            ten_integers_arrive_in_order,
            ten_doubles_arrive_in_order,
            sixteen_mixed_arguments_arrive_in_order,
            structs_among_arguments_arrive,
    ];
}

fn ten_integers_arrive_in_order<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let weight = -128
        + 2 * 65535
        + 3 * -70_000
        + 4 * 5_000_000_000
        + 5 * 127
        + 6 * 9
        + 7 * 80_000
        + 8 * -9_000_000_000
        + 9 * 255
        + 10 * -32768_i64;
    let found = api.weigh_integers(
        -128,
        65535,
        -70_000,
        5_000_000_000,
        127,
        9,
        80_000,
        -9_000_000_000,
        255,
        -32768,
    );
    equal!(found, Ok(weight))
}

/// The values are powers of two, so that sums are exact and each bit identifies an argument.
fn ten_doubles_arrive_in_order<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let values: [f64; 10] = [1.0, 16.0, 256.0, 4096.0, -0.5, 0.25, 65536.0, -2.0, 1048576.0, 8.0];
    let weight: f64 =
        values.iter().zip(1u32..).map(|(value, place)| value * f64::from(place)).sum();
    let [a, b, c, d, e, f, g, h, i, j] = values;
    equal!(api.weigh_doubles(a, b, c, d, e, f, g, h, i, j), Ok(weight))
}

fn sixteen_mixed_arguments_arrive_in_order<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let values: [f64; 16] = [
        -1.0, 2.5, 200.0, 4.25, -5e9, 6.5, -7000.0, 8.75, 4e9, 10.5, -100.0, 12.25, 13.0, 14.5,
        -15.0, 16.75,
    ];
    let weight: f64 =
        values.iter().zip(1u32..).map(|(value, place)| value * f64::from(place)).sum();
    let found = api.weigh_mixture(
        -1,
        2.5,
        200,
        4.25,
        -5_000_000_000,
        6.5,
        -7000,
        8.75,
        4_000_000_000,
        10.5,
        -100,
        12.25,
        13,
        14.5,
        -15,
        16.75,
    );
    equal!(found, Ok(weight))
}

fn structs_among_arguments_arrive<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let pair = |small, large| Pair { small, large };
    let mixed = Mixed { tag: 1, first: 64.0, second: 2.0, third: 3 };
    let mut large = Large { words: [0; 32] };
    large.words[31] = 1000;
    let both = IntAndDouble { integer: -7, number: 0.5 };
    let padded = Padded { first: 1, second: 90, third: 2 };
    let floats = FloatPair { x: 1.0, y: 32.0 };
    let weight = 3.0
        + 2.0 * 4.0
        + 3.0 * 64.0
        + 4.0 * 32.0
        + 5.0 * 1000.0
        + 6.0 * 0.5
        + 7.0 * -7.0
        + 8.0 * 90.0
        + 9.0 * 5.0
        + 10.0 * 6.0;
    equal!(
        api.weigh_structs(pair(3, 4), mixed, floats, large, both, padded, pair(5, 6)),
        Ok(weight)
    )
}
