//! Enums: only the values that the header names are valid.

use omniglot::{Error, InvalidValue, Ptr, Runtime};

use crate::case::cases;
use crate::conformance::{Colour, Side, Wide, async_res_t as AsyncRes};
use crate::failure::{Message, equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const ENUMS: &'static [Case<R>] = cases![
        Types, Usable:
            a_random_result_is_a_value_or_an_error,
            three_is_no_async_res,
            named_values_cross,
            every_other_number_is_refused,
            negative_numbers_keep_their_sign_in_errors,
            unsigned_enums_reach_to_their_end,
            enums_written_through_pointers_are_checked_when_read,
            errors_name_type_value_and_what_is_valid,
    ];
}

fn not_async_res(value: i128) -> Error {
    InvalidValue { type_name: "async_res_t", value, valid: &[0, 1, 2] }.into()
}

/// The article's example: `async_print` returns `rand()`.
fn a_random_result_is_a_value_or_an_error<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut refused = 0;
    for _ in 0..20 {
        match api.async_print(Ptr::null(), 0) {
            Ok(AsyncRes::SUCCESS | AsyncRes::FAILURE | AsyncRes::PENDING) => {}
            Err(Error::InvalidValue(invalid)) => {
                equal!(Error::from(invalid), not_async_res(invalid.value))?;
                holds(!(0..=2).contains(&invalid.value), "only invalid values are refused")?;
                refused += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    holds(refused > 0, "twenty random numbers are not all below three")
}

fn three_is_no_async_res<R: Runtime>(api: &mut Api<R>) -> Outcome {
    api.scope(|scope| {
        let message = scope.copy_in(b"Hello World!")?;
        for _ in 0..3 {
            scope.async_print(message, message.len()).map(drop).or_else(only_invalid)?;
        }
        Ok(())
    })?;
    equal!(api.async_print_returns(0), Ok(AsyncRes::SUCCESS))?;
    equal!(api.async_print_returns(1), Ok(AsyncRes::FAILURE))?;
    equal!(api.async_print_returns(2), Ok(AsyncRes::PENDING))?;
    equal!(api.async_print_returns(3), Err(not_async_res(3)))
}

fn only_invalid(error: Error) -> omniglot::Result<()> {
    if matches!(error, Error::InvalidValue(_)) { Ok(()) } else { Err(error) }
}

fn named_values_cross<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for (colour, number) in [(Colour::RED, 1), (Colour::GREEN, 10), (Colour::BLUE, 100)] {
        equal!(api.echo_colour(colour), Ok(colour))?;
        equal!(api.colour_number(colour), Ok(number))?;
        equal!(api.colour_of_number(number), Ok(colour))?;
    }
    Ok(())
}

fn every_other_number_is_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for number in (-3..=103).chain([256, 257, 266, 1 << 16, (1 << 24) + 1, i32::MAX, i32::MIN]) {
        if [1, 10, 100].contains(&number) {
            continue;
        }
        let value = i128::from(number.cast_unsigned());
        let wrong = InvalidValue { type_name: "Colour", value, valid: &[1, 10, 100] };
        equal!(api.colour_of_number(number), Err(wrong.into()))?;
    }
    Ok(())
}

fn negative_numbers_keep_their_sign_in_errors<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for (side, number) in [(Side::BELOW, -1), (Side::LEVEL, 0), (Side::ABOVE, 1)] {
        equal!(api.side_of_number(number), Ok(side))?;
    }
    for number in [-2, 2, 255, i32::MIN, i32::MAX] {
        let wrong =
            InvalidValue { type_name: "Side", value: i128::from(number), valid: &[-1, 0, 1] };
        equal!(api.side_of_number(number), Err(wrong.into()))?;
    }
    Ok(())
}

fn unsigned_enums_reach_to_their_end<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.wide_of_number(0), Ok(Wide::LOW))?;
    equal!(api.wide_of_number(u32::MAX), Ok(Wide::HIGH))?;
    for number in [1, u32::MAX - 1, 1 << 31] {
        let valid = &[0, 0xffff_ffff];
        let wrong = InvalidValue { type_name: "Wide", value: i128::from(number), valid };
        equal!(api.wide_of_number(number), Err(wrong.into()))?;
    }
    Ok(())
}

fn enums_written_through_pointers_are_checked_when_read<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut found = (Ok(Colour::RED), Ok(Colour::RED));
    api.scope(|scope| {
        let place = scope.value(Colour::RED)?;
        scope.colour_into(place, 100)?;
        found.0 = scope.read(place);
        scope.colour_into(place, 99)?;
        found.1 = scope.read(place);
        Ok(())
    })?;
    equal!(found.0, Ok(Colour::BLUE))?;
    let wrong = InvalidValue { type_name: "Colour", value: 99, valid: &[1, 10, 100] };
    equal!(found.1, Err(wrong.into()))
}

fn errors_name_type_value_and_what_is_valid<R: Runtime>(api: &mut Api<R>) -> Outcome {
    use core::fmt::Write;
    let mut text = Message::new();
    if let Err(error) = api.async_print_returns(3) {
        let _ = write!(text, "{error}");
    }
    equal!(text.as_str(), "invalid value: 3 is no value of async_res_t; valid: 0, 1, 2")
}
