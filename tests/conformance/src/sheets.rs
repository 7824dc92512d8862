//! Invalid enums and bools at every place of a nested struct, read in every way.

use omniglot::{Error, InvalidValue, Runtime, SliceMut};

use crate::case::cases;
use crate::conformance::{Colour, Mark, SHEET_PLACES, Sheet, Sheet_Corner as Corner, Side};
use crate::failure::{equal, holds};
use crate::{Api, Case, Failure, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const SHEETS: &'static [Case<R>] = cases![
        Types, Usable:
            nested_structs_cross_by_value,
            nested_structs_cross_by_pointer,
            results_are_validated_at_every_place,
            reading_validates_every_place,
            views_validate_every_place,
            slices_are_validated_in_every_element,
            copies_out_are_validated_in_every_element,
            only_the_invalid_field_is_refused,
            zeroed_memory_is_validated,
            moved_elements_stay_unvalidated,
            small_structs_are_validated_in_registers,
    ];
}

/// Numbers that are invalid for `Colour`, `Side` and `bool`.
const NUMBERS: [i32; 5] = [-2, 2, 3, 7, 255];

fn sample() -> Sheet {
    let mark = |colour, set| Mark { colour, set };
    Sheet {
        id: 7,
        marks: [mark(Colour::RED, true), mark(Colour::GREEN, false), mark(Colour::BLUE, true)],
        flags: [true, false, false, true],
        corner: Corner { filler: 255, side: Side::BELOW },
    }
}

/// Returns the expected error for a spoiled sheet: see `spoil_sheet` in C.
fn wrong(place: u32, number: i32) -> Error {
    let unsigned = i128::from(number.cast_unsigned());
    let byte = i128::from(number as u8);
    let invalid = match place {
        0..3 => InvalidValue { type_name: "Colour", value: unsigned, valid: &[1, 10, 100] },
        3..10 => InvalidValue { type_name: "bool", value: byte, valid: &[0, 1] },
        _ => InvalidValue { type_name: "Side", value: i128::from(number), valid: &[-1, 0, 1] },
    };
    invalid.into()
}

/// Iterates over every place with every invalid number.
fn spoilings() -> impl Iterator<Item = (u32, i32)> {
    (0..SHEET_PLACES.cast_unsigned()).flat_map(|place| NUMBERS.map(|number| (place, number)))
}

fn nested_structs_cross_by_value<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.sample_sheet(), Ok(sample()))?;
    let mut other = sample();
    other.marks[1] = Mark { colour: Colour::BLUE, set: true };
    other.corner.side = Side::ABOVE;
    equal!(api.echo_sheet(other), Ok(other))
}

fn nested_structs_cross_by_pointer<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let same = api.scope(|scope| {
        let mine = scope.value(sample())?;
        let theirs = scope.sample_sheet()?;
        let theirs = scope.value(theirs)?;
        scope.sheets_equal(mine, theirs)
    });
    equal!(same, Ok(true))
}

fn results_are_validated_at_every_place<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for (place, number) in spoilings() {
        equal!(api.spoiled_sheet(place, number), Err(wrong(place, number)))?;
    }
    Ok(())
}

/// Runs `check` with three sheets, of which the middle one is spoiled.
fn with_each_spoiled<R: Runtime>(
    api: &mut Api<R>,
    mut check: impl FnMut(&Api<R>, SliceMut<Sheet>, Error) -> Outcome,
) -> Outcome {
    for (place, number) in spoilings() {
        let mut outcome = Ok(());
        api.scope(|scope| {
            let sheets = scope.copy_in(&[sample(); 3])?;
            let middle = sheets.range(1, 1).unwrap_or(sheets);
            scope.spoil_sheet(middle, place, number)?;
            outcome = check(scope, sheets, wrong(place, number));
            Ok(())
        })?;
        outcome?;
    }
    Ok(())
}

fn reading_validates_every_place<R: Runtime>(api: &mut Api<R>) -> Outcome {
    with_each_spoiled(api, |api, sheets, wrong| {
        let expected = [Ok(sample()), Err(wrong), Ok(sample())];
        sheets
            .iter()
            .zip(expected)
            .try_for_each(|(sheet, expected)| equal!(api.read(sheet), expected))
    })
}

fn views_validate_every_place<R: Runtime>(api: &mut Api<R>) -> Outcome {
    with_each_spoiled(api, |api, sheets, wrong| {
        let expected = [Ok(sample()), Err(wrong), Ok(sample())];
        let mut pairs = sheets.iter().zip(expected);
        pairs.try_for_each(|(sheet, expected)| equal!(api.view(sheet).map(|view| *view), expected))
    })
}

fn slices_are_validated_in_every_element<R: Runtime>(api: &mut Api<R>) -> Outcome {
    with_each_spoiled(api, |api, sheets, wrong| {
        equal!(api.view_slice(sheets).map(|view| view.len()), Err(wrong))?;
        let first = sheets.range(0, 1).unwrap_or(sheets);
        equal!(api.view_slice(first).map(|view| view.len()), Ok(1))
    })
}

fn copies_out_are_validated_in_every_element<R: Runtime>(api: &mut Api<R>) -> Outcome {
    with_each_spoiled(api, |api, sheets, wrong| {
        equal!(api.read_into(sheets, &mut [sample(); 3]), Err(wrong))?;
        let last = sheets.range(2, 1).unwrap_or(sheets);
        equal!(api.read_into(last, &mut [sample()]), Ok(()))
    })
}

fn only_the_invalid_field_is_refused<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut found = None;
    api.scope(|scope| {
        let sheet = scope.value(sample())?;
        scope.spoil_sheet(sheet, 10, 5)?;
        let corner = sheet.field(Sheet::CORNER);
        let whole = scope.read(sheet).map(drop);
        let marks = scope.read(sheet.field(Sheet::MARKS));
        let filler = scope.read(corner.field(Corner::FILLER));
        found = Some((whole, marks, filler, scope.read(corner.field(Corner::SIDE))));
        Ok(())
    })?;
    equal!(found, Some((Err(wrong(10, 5)), Ok(sample().marks), Ok(255), Err(wrong(10, 5)))))
}

fn zeroed_memory_is_validated<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut found = Ok(sample());
    api.scope(|scope| {
        let sheets = scope.zeroed::<Sheet>(2)?;
        found = sheets.get(1).ok_or(Error::WrongInstance).and_then(|sheet| scope.read(sheet));
        Ok(())
    })?;
    // The invalid Colour 0.
    equal!(found, Err(wrong(0, 0)))
}

fn moved_elements_stay_unvalidated<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let mut found = None;
    api.scope(|scope| {
        let from = scope.copy_in(&[sample()])?;
        let into = scope.copy_in(&[sample()])?;
        scope.spoil_sheet(from, 4, 9)?;
        scope.copy_within(from, into)?;
        found = into.get(0).map(|sheet| scope.read(sheet));
        Ok(())
    })?;
    equal!(found, Some(Err(wrong(4, 9))))
}

fn small_structs_are_validated_in_registers<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.mark_of_bits(10, 1), Ok(Mark { colour: Colour::GREEN, set: true }))?;
    equal!(api.mark_of_bits(11, 1), Err(wrong(0, 11)))?;
    equal!(api.mark_of_bits(10, 2), Err(wrong(3, 2)))?;
    let both: Result<Mark, Failure> = api.mark_of_bits(11, 2).map_err(Failure::from);
    holds(both.is_err(), "two wrong fields are wrong")
}
