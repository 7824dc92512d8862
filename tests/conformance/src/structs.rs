//! Structs and unions by value, of every class of the calling conventions.

use omniglot::Runtime;

use crate::case::cases;
use crate::conformance::{
    FloatAndInt, FloatPair, IntAndDouble, Large, Mixed, Number, Padded, Pair,
};
use crate::failure::equal;
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const STRUCTS: &'static [Case<R>] = cases![
        Types, Usable:
            small_structs_cross_by_value,
            structs_with_padding_cross_by_value,
            large_structs_cross_by_value,
            structs_of_floats_cross_by_value,
            structs_of_integers_and_floats_cross_by_value,
            unions_cross_by_value,
            structs_cross_by_pointer,
            fields_are_reached_through_references,
            slices_of_structs_cross,
    ];
}

fn small_structs_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let pair = Pair { small: 7, large: 0x8765_4321 };
    equal!(api.make_pair(7, 0x8765_4321), Ok(pair))?;
    equal!(api.swap_pair(pair), Ok(Pair { small: 0x21, large: 7 }))
}

fn structs_with_padding_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let padded = Padded { first: 254, second: u64::MAX - 1, third: 65534 };
    equal!(api.next_padded(padded), Ok(Padded { first: 255, second: u64::MAX, third: 65535 }))
}

fn large_structs_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut words = [0; 32];
    for (index, word) in words.iter_mut().enumerate() {
        *word = u64::MAX - index as u64;
    }
    let mut reversed = words;
    reversed.reverse();
    equal!(api.reverse_large(Large { words }), Ok(Large { words: reversed }))
}

fn structs_of_floats_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let pair = FloatPair { x: 1.25, y: -8.5 };
    equal!(api.swap_float_pair(pair), Ok(FloatPair { x: -8.5, y: 1.25 }))
}

fn structs_of_integers_and_floats_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let both = FloatAndInt { number: 3.0, integer: -4 };
    equal!(api.swap_float_and_int(both), Ok(FloatAndInt { number: -4.0, integer: 3 }))?;
    let both = IntAndDouble { integer: 5, number: -6.0 };
    equal!(api.swap_int_and_double(both), Ok(IntAndDouble { integer: -6, number: 5.0 }))?;
    let mixed = Mixed { tag: 1, first: 2.5, second: 3.5, third: -5 };
    equal!(api.next_mixed(mixed), Ok(Mixed { tag: 2, first: 3.5, second: 4.5, third: -4 }))
}

fn unions_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let number = api.number_of_real(-1.5)?;
    equal!(number.real(), Ok(-1.5))?;
    equal!(number.whole(), Ok((-1.5f64).to_bits()))?;
    equal!(number.bytes(), Ok((-1.5f64).to_ne_bytes()))?;
    equal!(api.real_of_number(number), Ok(-1.5))?;
    equal!(api.real_of_number(Number::from_whole(2.0f64.to_bits())), Ok(2.0))
}

fn structs_cross_by_pointer<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let padded = Padded { first: 1, second: 2, third: 3 };
    let changed = api.scope(|scope| {
        let place = scope.value(padded)?;
        scope.next_padded_at(place)?;
        scope.read(place)
    });
    equal!(changed, Ok(Padded { first: 2, second: 3, third: 4 }))
}

fn fields_are_reached_through_references<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let fields = api.scope(|scope| {
        let place = scope.value(Padded { first: 1, second: 2, third: 3 })?;
        scope.write(place.field(Padded::SECOND), 20)?;
        scope.next_padded_at(place)?;
        let first = scope.read(place.field(Padded::FIRST))?;
        let second = *scope.view(place.field(Padded::SECOND))?;
        let third = scope.read(scope.upgrade(place.as_ptr().field(Padded::THIRD))?)?;
        Ok((first, second, third))
    });
    equal!(fields, Ok((2, 21, 4)))
}

fn slices_of_structs_cross<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let pairs = [1, 2, 3].map(|small| Pair { small, large: 100 });
    let mut copied = [Pair { small: 0, large: 0 }; 3];
    let viewed = api.scope(|scope| {
        let place = scope.copy_in(&pairs)?;
        scope.read_into(place, &mut copied)?;
        let last = *scope.view(place.get(2).ok_or(omniglot::Error::WrongInstance)?)?;
        let all = scope.view_slice(place)?;
        Ok((all.len(), all.first().copied(), last))
    });
    equal!(copied, pairs)?;
    equal!(viewed, Ok((3, pairs.first().copied(), Pair { small: 3, large: 100 })))
}
