//! Sizes, lengths and offsets at the ends of what numbers can be.

use omniglot_core::*;

use omniglot_mock::{Step, *};

/// Lengths that wrap, as bytes or as elements of eight.
const HUGE: [usize; 7] = [
    usize::MAX,
    usize::MAX / 2,
    usize::MAX / 2 + 1,
    usize::MAX / 8,
    usize::MAX / 8 + 1,
    isize::MAX as usize / 8,
    SIZE,
];

fn is_refusal<T>(outcome: Result<T>) -> bool {
    matches!(
        outcome,
        Err(Error::TooLarge { .. } | Error::OutOfMemory { .. } | Error::OutOfRange { .. })
    )
}

#[test]
fn huge_lengths_are_refused_everywhere() {
    let mut api = instance();
    for len in HUGE {
        assert!(is_refusal(api.alloc_zeroed::<u64>(len)), "{len}");
        assert!(is_refusal(api.upgrade_slice(Ptr::<u64>::from_addr(BASE), len)), "{len}");
        assert!(is_refusal(api.upgrade_slice_mut(Ptr::<u64>::from_addr(BASE), len)), "{len}");
        assert!(is_refusal(api.scope(|scope| scope.zeroed::<u64>(len))), "{len}");
        assert!(is_refusal(api.scope(|scope| scope.reserve::<u64>(len))), "{len}");
        let given = api.malloc::<u64>(len);
        assert!(is_refusal(given), "{len}");
    }
    assert_eq!(run(&mut api), Ok(()));
}

#[test]
fn memory_that_a_library_claims_to_give_is_checked() {
    for (address, len) in [(BASE + SIZE - 8, 2), (BASE - 8, 1), (usize::MAX - 7, 1), (ROOM + 4, 1)]
    {
        let result = address.to_ne_bytes().to_vec();
        let mut api = scripted([Step::Result(16, result)]).0;
        let given = api.malloc::<u64>(len);
        let checked = matches!(given, Err(Error::OutOfRange { .. } | Error::Misaligned { .. }));
        assert!(checked, "{given:?}");
    }
}

#[test]
fn addresses_wrap_and_are_checked_when_used() {
    let api = instance();
    let start = Ptr::<u64>::from_addr(BASE);
    for count in [-1, isize::MAX, (SIZE / 8) as isize, isize::MIN / 8] {
        assert!(api.upgrade(start.offset(count)).is_err(), "{count}");
    }
    for address in [0, 1, BASE - 8, BASE + SIZE, usize::MAX - 7, usize::MAX] {
        let pointer = Ptr::<u64>::from_addr(address);
        assert!(api.upgrade(pointer).is_err());
        assert!(api.upgrade_mut(pointer).is_err());
        assert!(api.read_cstr(pointer.cast(), usize::MAX).is_err());
        assert!(api.read_str(pointer.cast(), 1).is_err());
    }
}

#[test]
fn nothing_is_touched_of_empty_slices_wherever_they_are() {
    let mut api = instance();
    for address in [0, 8, BASE - 8, BASE + SIZE, usize::MAX - 7] {
        let pointer = Ptr::<u64>::from_addr(address);
        let (empty, room) =
            (api.upgrade_slice(pointer, 0).unwrap(), api.upgrade_slice_mut(pointer, 0).unwrap());
        assert_eq!(api.view_slice(empty).map(|view| view.len()), Ok(0));
        assert_eq!(api.read_into(empty, &mut []), Ok(()));
        assert_eq!(api.write_slice(room, &[]), Ok(()));
        assert_eq!(api.copy_within(empty, room), Ok(()));
        let bytes = api.upgrade_slice_mut(pointer.cast::<u8>(), 0).unwrap();
        assert_eq!(api.write_slice_with(bytes, |bytes| bytes.len()), Ok(0));
        assert!(empty.get(0).is_none() && empty.range(0, 1).is_none());
        assert!(empty.range(1, 0).is_none() && empty.range(usize::MAX, usize::MAX).is_none());
        assert_eq!(empty.range(0, 0).map(Slice::len), Some(0));
        assert_eq!(empty.iter().count(), 0);
    }
}

#[test]
fn parts_of_slices_stay_in_them() {
    let api = instance();
    let slice = api.upgrade_slice(Ptr::<u64>::from_addr(BASE + SIZE - 64), 8).unwrap();
    for (start, len) in [(0, 9), (8, 1), (9, 0), (1, usize::MAX), (usize::MAX, 1), (7, 2)] {
        assert!(slice.range(start, len).is_none(), "{start} {len}");
    }
    let last = slice.range(8, 0).unwrap();
    assert_eq!(api.view_slice(last).map(|view| view.len()), Ok(0));
    assert_eq!(api.read(slice.get(7).unwrap()), Ok(0));
    assert_eq!(slice.iter().rev().count(), 8);
}

#[test]
fn types_without_a_size_are_refused_or_read_as_nothing() {
    let mut api = instance();
    let nothing = Err(Error::ZeroSized { type_name: "array" });
    assert_eq!(api.alloc([0_u8; 0]).map(drop), nothing);
    assert_eq!(api.alloc_slice(&[[0_u64; 0]; 5]).map(drop), nothing);
    assert_eq!(api.upgrade(Ptr::<[u8; 0]>::from_addr(BASE)).map(drop), nothing);
    assert_eq!(api.upgrade_slice(Ptr::<[u8; 0]>::null(), usize::MAX).map(drop), nothing);
    // A field may have no size, such as a flexible array: it is there, at the very end, too.
    let end = api.upgrade_mut(Ptr::<u64>::from_addr(BASE + SIZE - 8)).unwrap();
    let empty = end.field(Field::<u64, [u64; 0]>::new(8));
    assert_eq!(api.read(empty), Ok([]));
    assert_eq!(api.view(empty).map(|view| view.len()), Ok(0));
    assert_eq!(api.write(empty, []).map_err(|error| error.poisons()), Ok(()));
}

#[test]
fn fields_outside_of_their_struct_cannot_be_named() {
    assert!(panics(|| Field::<u64, u32>::new(5)));
    assert!(panics(|| Field::<u64, u32>::new(6)));
    assert!(panics(|| Field::<u64, u64>::new(8)));
    assert!(panics(|| Field::<u64, u8>::new(usize::MAX)));
    assert!(panics(|| Field::<[u8; 16], u64>::new(0)), "its struct may lie anywhere");
    assert_eq!(Field::<u64, u32>::new(4).offset(), 4);
    let wrapped = Ptr::<u64>::from_addr(usize::MAX - 3).field(Field::<u64, u32>::new(4));
    assert_eq!(wrapped.addr(), 0);
}

#[test]
fn frames_of_calls_may_have_any_length() {
    let mut api = instance();
    for len in (0..64).chain([SIZE / 4, SIZE / 2, SIZE / 2 + 1, SIZE]) {
        let mut frame = vec![0xaa; len];
        let called = call(&mut *api, 2, &mut frame);
        match called {
            Ok(()) => assert!(len >= HEADER_SIZE),
            Err(Error::Misuse(_)) => assert!(len < HEADER_SIZE),
            Err(Error::OutOfMemory { .. }) => assert!(len > SIZE / 4),
            other => panic!("{len}: {other:?}"),
        }
        assert_eq!(bytes_at(&api, BASE, 64), [0; 64]);
    }
}

#[test]
fn frames_decode_nothing_outside_of_themselves() {
    let frame = Frame::<16>::new();
    for offset in [9, 16, 17, usize::MAX - 7, usize::MAX] {
        assert!(frame.get::<u64>(offset).is_err(), "{offset}");
    }
    let mut frame = Frame::<16>::new();
    frame.put(usize::MAX, &u64::MAX);
    frame.put(9, &u64::MAX);
    assert_eq!(frame.bytes(), [0; 16]);
    assert_eq!(explain_field::<bool>(&[7], usize::MAX), None);
    assert!(explain_field::<bool>(&[7], 0).is_some());
}

#[test]
fn scopes_and_boxes_never_overlap_what_calls_use() {
    let mut api = instance();
    let boxed = api.alloc_slice(&[0x55_u8; 1000]).unwrap();
    let scoped = api.scope(|scope| {
        let kept = scope.copy_in(&[0x66_u8; 1000])?;
        for _ in 0..50 {
            run(scope)?;
            let mut frame = vec![0x77; 4096];
            call(&mut **scope, 2, &mut frame)?;
        }
        assert_eq!(scope.view_slice(kept)?[..], [0x66; 1000]);
        Ok(kept.as_ptr().addr())
    });
    assert!(scoped.unwrap() >= EXCHANGE);
    assert_eq!(api.view_slice(&boxed).unwrap()[..], [0x55; 1000]);
}

#[test]
fn bit_fields_of_any_place_and_width_stay_in_their_storage() {
    let mut storage = [0; 4];
    for (offset, width) in [(0, 64), (31, 2), (32, 8), (1000, 64), (usize::MAX / 2, 8)] {
        let _ = get_bits(&storage, offset, width, true);
        let _ = put_bits(&mut storage, offset, width, false, 1, "bits");
    }
    assert_eq!(get_bits(&storage, 32, 8, false), 0, "what is not there is zero");
}

#[test]
fn texts_for_c_end_where_c_thinks_they_do() {
    let mut api = instance();
    assert_eq!(api.alloc_str("a\0b").map(drop), Err(Error::InteriorNul { position: 1 }));
    let inside = api.scope(|scope| scope.str("\0"));
    assert_eq!(inside, Err(Error::InteriorNul { position: 0 }));
    let long = "x".repeat(SIZE);
    assert!(is_refusal(api.alloc_str(&long)));
    assert!(is_refusal(api.scope(|scope| scope.str(&long))));
}
