//! Memory in the library that the host owns.

use omniglot::{Error, ForeignBox, InvalidValue};
use omniglot_conformance::conformance::{Colour, Mark, Padded};

use super::instance;

#[test]
fn boxes_hold_values_for_both_sides() {
    let mut library = instance();
    let padded = library.alloc(Padded { first: 1, second: 2, third: 3 }).unwrap();
    library.next_padded_at(&padded).unwrap();
    assert_eq!(library.read(&padded), Ok(Padded { first: 2, second: 3, third: 4 }));
    let numbers = library.alloc_slice(&[1, 2, 3]).unwrap();
    assert_eq!(library.sum(&numbers, numbers.len()), Ok(6));
    library.write_slice(&numbers, &[4, 5, 6]).unwrap();
    assert_eq!(&*library.view_slice(&numbers).unwrap(), [4, 5, 6]);
    let text = library.alloc_str("grüß dich").unwrap();
    assert_eq!(library.text_length(&text), Ok(11));
    let zeros = library.alloc_zeroed::<u8>(1000).unwrap();
    assert_eq!(library.count_bytes(&zeros, 1000, 0), Ok(1000));
}

#[test]
fn what_a_box_holds_is_checked_when_read() {
    let mut library = instance();
    let colour = library.alloc(Colour::RED).unwrap();
    library.colour_into(&colour, 77).unwrap();
    let wrong = Error::from(InvalidValue { type_name: "Colour", value: 77, valid: &[1, 10, 100] });
    assert_eq!(library.read(&colour), Err(wrong));
    let kept = library.copy_unvalidated(&colour).unwrap();
    assert_eq!((kept.as_bytes(), kept.validate()), (&77u32.to_ne_bytes()[..], Err(wrong)));
    library.colour_into(&colour, 100).unwrap();
    assert_eq!(kept.validate(), Err(wrong), "the copy is the host's");
    assert_eq!(library.read(&colour), Ok(Colour::BLUE));
}

#[test]
fn the_padding_of_boxes_is_zero() {
    let mut library = instance();
    let padded = library.alloc_slice(&[Padded { first: 1, second: 2, third: 3 }; 5]).unwrap();
    library.fill_with_ones(&padded, 5).unwrap();
    assert_eq!(library.padding_is_zero(&padded, 5), Ok(false));
    drop(padded);
    let again = library.alloc_slice(&[Padded { first: 1, second: 2, third: 3 }; 5]).unwrap();
    assert_eq!(library.padding_is_zero(&again, 5), Ok(true));
}

#[test]
fn dropped_boxes_are_given_out_again() {
    let mut library = instance();
    let size = 1 << 20;
    let mut rounds = 0;
    for _ in 0..100 {
        let large = library.alloc_zeroed::<u8>(size).unwrap();
        rounds += large.len() / size;
    }
    assert_eq!(rounds, 100, "a hundred boxes that do not fit together");
}

#[test]
fn boxes_do_not_overlap() {
    let mut library = instance();
    let boxes: Vec<_> =
        (0..200u8).map(|number| library.alloc_slice(&[number; 33]).unwrap()).collect();
    for (number, bytes) in (0u8..).zip(&boxes) {
        assert_eq!(library.count_bytes(bytes, 33, number), Ok(33));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut library = instance();
    let requested = 1 << 40;
    assert_eq!(
        library.alloc_zeroed::<u8>(requested).map(drop),
        Err(Error::OutOfMemory { requested })
    );
    let elements = usize::MAX;
    assert_eq!(library.alloc_zeroed::<u8>(elements).map(drop), Err(Error::TooLarge { elements }));
    assert!(library.alloc(1u8).is_ok());
}

#[test]
fn a_box_outlives_its_instance_harmlessly() {
    let mut first = instance();
    let mark: ForeignBox<Mark> = first.alloc(Mark { colour: Colour::RED, set: true }).unwrap();
    drop(first);
    let second = instance();
    assert_eq!(second.read(&mark), Err(Error::WrongInstance));
    drop(mark);
    assert_eq!(second.poisoned(), None);
}

/// Checks the documentation of `memory_limit`, minus some kilobytes for book-keeping.
#[test]
fn boxes_and_scopes_have_an_eighth_each() {
    const EIGHTH: usize = (64 << 20) / 8;
    const KEPT: usize = 64 << 10;
    let mut library = instance();
    let room = library.alloc_zeroed::<u8>(EIGHTH - KEPT).unwrap();
    assert_eq!(library.count_bytes(&room, room.len(), 0), Ok(room.len()));
    let too_much = Error::OutOfMemory { requested: 2 * KEPT };
    assert_eq!(library.alloc_zeroed::<u8>(2 * KEPT).unwrap_err(), too_much);
    let used = library.scope(|scope| {
        let bytes = scope.zeroed::<u8>(EIGHTH - KEPT)?;
        assert_eq!(scope.zeroed::<u8>(2 * KEPT).unwrap_err(), too_much);
        scope.count_bytes(bytes.as_ptr(), bytes.len(), 0)
    });
    assert_eq!(used, Ok(EIGHTH - KEPT));
}
