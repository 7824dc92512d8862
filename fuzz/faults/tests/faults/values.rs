//! Reads values whose types forbid some bit patterns, in every way, and checks the bits that
//! arrive.
//!
//! A `bool` of 2 would already be undefined behaviour. So the bits are inspected through references
//! and conversions that an unoptimised build executes as written.

use std::cell::Cell;

use omniglot::zerocopy::IntoBytes;
use omniglot::{Error, Foreign, Ptr, Result, Runtime, ToRef};
use omniglot_conformance::conformance::{
    Api, BoolCallback, Colour, ColourCallback, Mark, Sheet, SheetCallback, Side,
};

/// Number of elements that are read at a time.
const MANY: usize = 5;
/// Length of the longest string that is read.
const LONGEST: usize = 2000;

/// A value whose bits can be inspected.
trait Look {
    /// Panics if the bits are invalid for the type.
    fn look(&self);
}

impl Look for bool {
    fn look(&self) {
        assert!(matches!(self.as_bytes(), [0 | 1]), "a bool is {:?}", self.as_bytes());
    }
}

impl Look for char {
    fn look(&self) {
        let number = u32::from_ne_bytes(encoded(self));
        assert!(char::from_u32(number).is_some(), "a char is {number:#x}");
    }
}

impl Look for Colour {
    fn look(&self) {
        let number = i32::from_ne_bytes(encoded(self));
        assert!([1, 10, 100].contains(&number), "a Colour is {number}");
    }
}

impl Look for Side {
    fn look(&self) {
        let number = i32::from_ne_bytes(encoded(self));
        assert!((-1..=1).contains(&number), "a Side is {number}");
    }
}

impl Look for Mark {
    fn look(&self) {
        self.colour.look();
        self.set.look();
    }
}

impl Look for Sheet {
    fn look(&self) {
        self.marks.iter().for_each(Look::look);
        self.flags.iter().for_each(Look::look);
        self.corner.side.look();
    }
}

impl<T: Look> Look for [T] {
    fn look(&self) {
        self.iter().for_each(Look::look);
    }
}

fn encoded<T: Foreign>(value: &T) -> [u8; 4] {
    let mut bytes = [0; 4];
    value.encode(&mut bytes);
    bytes
}

/// A function that reads values in some way.
pub(crate) type Way<R> = fn(&mut Api<R>) -> Result<()>;

/// Returns every way, by name. Errors matter only if nothing was changed.
pub(crate) fn ways<R: Runtime>() -> [(&'static str, Way<R>); 7] {
    [
        ("results", results),
        ("callbacks", callbacks),
        ("pointees", pointees::<R>),
        ("elements", elements),
        ("strings", strings),
        ("references", references),
        ("filled in place", filled),
    ]
}

fn results<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    let looked = [
        api.negate(true).map(|value| value.look()),
        api.bool_of_bits(1).map(|value| value.look()),
        api.echo_colour(Colour::BLUE).map(|value| value.look()),
        api.colour_of_number(10).map(|value| value.look()),
        api.side_of_number(-1).map(|value| value.look()),
        api.mark_of_bits(100, 1).map(|value| value.look()),
        api.sample_sheet().map(|value| value.look()),
        api.sample_sheet().and_then(|sheet| api.echo_sheet(sheet)).map(|value| value.look()),
    ];
    looked.into_iter().collect()
}

fn callbacks<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    let calls = Cell::new(0);
    let count = || calls.set(calls.get() + 1);
    let bools = api.with_callback::<BoolCallback, _>(
        &mut |_, value| {
            value.look();
            count();
            Ok(!value)
        },
        |api, function| api.call_bool(function, true),
    );
    let colours = api.with_callback::<ColourCallback, _>(
        &mut |_, colour| {
            colour.look();
            count();
            Ok(colour)
        },
        |api, function| api.call_colour(function, Colour::GREEN),
    );
    let sheet = api.sample_sheet()?;
    let sheets = api.with_callback::<SheetCallback, _>(
        &mut |api, sheet| {
            sheet.look();
            count();
            // Makes another call in between.
            api.negate(sheet.flags[0])?.look();
            Ok(sheet)
        },
        |api, function| api.call_sheet(function, sheet),
    );
    bools?.map(|value| value.look())?;
    colours?.map(|value| value.look())?;
    sheets?.map(|value| value.look())?;
    assert!(calls.get() <= 3, "more callbacks than there are");
    Ok(())
}

/// Reads values that C wrote through the host's pointers.
fn pointees<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    let sheet = api.sample_sheet()?;
    api.scope(|scope| {
        let room = scope.value(sheet)?;
        // Field 10 is the side, for which -1 is a valid value.
        scope.spoil_sheet(room, 10, -1)?;
        look_in_all_ways(scope, room)
    })
}

fn look_in_all_ways<R: Runtime, T: Foreign + Look>(
    api: &Api<R>,
    from: impl ToRef<T> + Copy,
) -> Result<()> {
    let read = api.read(from).map(|value| value.look());
    let viewed = api.view(from).map(|value| value.look());
    // Several copies, since the number of a load varies between runs with how often the host
    // sleeps.
    let copy = |_| {
        api.copy_unvalidated(from).and_then(|copy| {
            let first = copy.validate();
            let second = copy.validate();
            assert_eq!(first.is_ok(), second.is_ok(), "a copy changes");
            first.map(|value| value.look())
        })
    };
    let copied: Result<()> = (0..MANY * 3).map(copy).collect();
    read.and(viewed).and(copied)
}

fn elements<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    api.scope(|scope| {
        let flags = scope.alloc_slice(&[true, false, true, true, false])?;
        let letters = scope.alloc_slice(&['a', 'ß', '\u{10ffff}', '\0', '\u{e000}'])?;
        let colours = scope.alloc_slice(&[Colour::RED; MANY])?;
        let mut copies = ([false; MANY], ['a'; MANY], [Colour::RED; MANY]);
        let read = [
            scope.read_into(&flags, &mut copies.0),
            scope.read_into(&letters, &mut copies.1),
            scope.read_into(&colours, &mut copies.2),
            scope.view_slice(&flags).map(|values| values.look()),
            scope.view_slice(&letters).map(|values| values.look()),
            scope.view_slice(&colours).map(|values| values.look()),
        ];
        // This also holds after an error: what was not copied is unchanged.
        copies.0.look();
        copies.1.look();
        copies.2.look();
        read.into_iter().collect()
    })
}

fn strings<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    let greeting = api.greeting()?;
    let text = api.read_cstr(greeting, LONGEST)?;
    assert!(!text.to_bytes().contains(&0) && text.to_bytes_with_nul().ends_with(&[0]));
    let long = api.long_text()?;
    let text = api.read_str(long, LONGEST)?;
    assert!(std::str::from_utf8(text.as_bytes()).is_ok(), "a str is not UTF-8");
    let latin = api.latin_text()?;
    match api.read_str(latin, LONGEST).map(|text| std::str::from_utf8(text.as_bytes()).is_ok()) {
        Ok(is_valid) => assert!(is_valid, "a str is not UTF-8"),
        Err(Error::InvalidUtf8 { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Reads pointers that C returns, and what they point to.
fn references<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    let mut node = api.sample_list()?;
    for _ in 0..MANY {
        if node == Ptr::null() {
            break;
        }
        node = api.upgrade(node).and_then(|node| api.read(node))?.next;
    }
    let counter = api.address_of_counter()?;
    let counter = api.upgrade_mut(counter)?;
    api.read(counter)?;
    api.write(counter, 7)
}

/// Fills foreign memory in place.
fn filled<R: Runtime>(api: &mut Api<R>) -> Result<()> {
    api.scope(|scope| {
        let room = scope.alloc_slice(&[7_u8; MANY])?;
        scope.write_slice_with(&room, |bytes| {
            assert_eq!(bytes.len(), MANY, "the room has another size");
            bytes.reverse();
        })?;
        scope.copy_within(&room, &room)
    })
}
