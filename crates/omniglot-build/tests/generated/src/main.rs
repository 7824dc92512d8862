//! Calls everything that was bound, and checks what comes back.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use everything::everything::{self as lib, Everything, direction, on_point, permissions, point};
use everything::mixture::Mixture;
use omniglot::{Error, FnPtr, InvalidValue, Ptr, Result, Table};

fn main() -> Result<()> {
    let mut api = Everything::builder().build()?;
    enums(&mut api)?;
    structs(&mut api)?;
    bit_fields(&mut api)?;
    unions(&mut api)?;
    numbers_and_names(&mut api)?;
    wrappers(&mut api)?;
    callbacks(&mut api)?;
    guards(&mut api)?;
    globals(&mut api)?;
    wide_numbers(&mut api)?;
    handles(&mut api)?;
    tables(&mut api)?;
    annotations(&mut api)?;
    mixture()?;
    println!("all of it works");
    Ok(())
}

fn enums(api: &mut lib::Api) -> Result<()> {
    assert_eq!(api.async_print(1)?, lib::async_res_t::ASYNC_DONE);
    let invalid = InvalidValue { type_name: "async_res_t", value: 3, valid: &[0, 1, 2] };
    assert_eq!(api.async_print(3), Err(Error::InvalidValue(invalid)));
    assert!(api.flag(false)?);
    assert!(api.is_even(4)? == true && !bool::from(api.is_even(5)?));
    let invalid = InvalidValue { type_name: "gboolean", value: -2, valid: &[0, 1] };
    let found = api.is_even(-2).unwrap_err();
    assert!(matches!(found, Error::InvalidValue(found) if found.type_name == invalid.type_name));
    let values = api.alloc_slice(&[true.into(), false.into(), lib::gboolean::TRUE])?;
    assert_eq!(api.count_true(&values, 3)?, 2);
    let raw = api.raw_bool(2)?;
    let invalid = InvalidValue { type_name: "bool", value: 2, valid: &[0, 1] };
    assert_eq!(api.read(api.upgrade(raw)?), Err(Error::InvalidValue(invalid)));
    let all = api.both(permissions::MAY_READ, permissions::MAY_WRITE)?;
    assert_eq!(all, permissions::MAY_READ | permissions::MAY_WRITE);
    assert_eq!(direction::AHEAD, direction::FORTH);
    assert_eq!(lib::BUFFER_SIZE, 64);
    assert_eq!(lib::VERSION, c"1.2.3");
    Ok(())
}

fn structs(api: &mut lib::Api) -> Result<()> {
    let rect = lib::rect_t { type_: 1, corner: point { x: 4, y: 5 }, ..Default::default() };
    let grown = api.grow(rect, 2.5)?;
    assert_eq!(grown.corner, point { x: 10, y: 5 });
    assert_eq!(grown.weights, [0.0, 1.0, 2.0]);
    let kept = api.last_rect(2)?;
    let kept = api.upgrade(kept)?;
    assert_eq!(api.read(kept)?.state, lib::async_res_t::ASYNC_FAILED);
    assert_eq!(api.read(kept.field(lib::rect_t::CORNER).field(point::X))?, 10);
    api.last_rect(9)?;
    let invalid = InvalidValue { type_name: "async_res_t", value: 9, valid: &[0, 1, 2] };
    assert_eq!(api.read(kept).err(), Some(Error::InvalidValue(invalid)));

    let packet = lib::packet { kind: 1, length: 20 };
    let bits = lib::bits { _bitfield_1: [0b0100_1010], c: 300 };
    assert_eq!(api.sum_of_parts(packet, bits, Ptr::null())?, 1 + 20 + 2 + 9 + 300);
    let exotic = api.alloc(lib::exotic::default())?;
    assert_eq!(api.sum_of_parts(packet, bits, &exotic)?, 332);
    Ok(())
}

fn bit_fields(api: &mut lib::Api) -> Result<()> {
    let mut options = lib::options::default();
    options.set_level(5)?;
    options.set_offset(-16)?;
    options.set_set(true)?;
    options.set_way(direction::BACK)?;
    options.set_big(1 << 33)?;
    options.set_state(lib::async_res_t::ASYNC_FAILED)?;
    let shown = format!("{options:?}");
    assert_eq!(
        shown,
        "options { level: 5, offset: -16, set: true, way: Ok(BACK), big: 8589934592, \
         state: Ok(ASYNC_FAILED) }"
    );
    let mut word = lib::word::from_whole(0xff00);
    word.set_low(9)?;
    assert_eq!(word.whole()?, 0xff09);
    assert_eq!(format!("{word:?}"), "word { .. }");
    let mut tight = lib::tight::default();
    tight.set_most(1 << 61)?;
    tight.set_rest(511)?;
    let expected = 5 - 160 + 100 - 1000 + (1 << 33) + 20_000 + 900_000 + (1 << 61) + 511_000_000;
    assert_eq!(api.sum_of_bits(options, word, tight)?, expected);

    let options = api.make_options(7, -1, 3)?;
    assert_eq!((options.level(), options.offset(), options.set()), (7, -1, true));
    assert_eq!((options.way()?, options.big()), (direction::BACK, 1 << 39));
    let invalid = InvalidValue { type_name: "async_res_t", value: 3, valid: &[0, 1, 2] };
    assert_eq!(options.state(), Err(Error::InvalidValue(invalid)));
    let mut options = options;
    let invalid = InvalidValue { type_name: "unsigned int : 3", value: 8, valid: &[] };
    assert_eq!(options.set_level(8), Err(Error::InvalidValue(invalid)));
    assert_eq!(options.level(), 7);
    Ok(())
}

fn unions(api: &mut lib::Api) -> Result<()> {
    let number = api.make_number(2.5)?;
    assert_eq!(number.d()?, 2.5);
    assert_eq!(api.read_number(lib::number::from_d(7.5))?, 7.5);
    let odd = lib::number::from_i(2);
    assert!(matches!(odd.flag(), Err(Error::InvalidValue(_))));
    assert_eq!(api.make_value(11)?.anonymous_1.whole()?, 11);
    Ok(())
}

fn numbers_and_names(api: &mut lib::Api) -> Result<()> {
    let text = api.alloc_str("four")?;
    let l = point { x: -1, y: -2 };
    let sum = api.many(-1, 65535, 1 << 40, 0.5, 0.25, &text, 255, -3, 9, true, -7, l)?;
    let expected = -1.0 + 65535.0 + f64::from(1 << 20) * f64::from(1 << 20) + 0.75 + 4.0;
    assert_eq!(sum, expected + 255.0 - 3.0 + 9.0 + 1.0 - 7.0 - 3.0);
    assert_eq!(api.match_(1, 2)?, 12);
    assert_eq!(api.read_(3)?, 4);
    assert_eq!(api.twice(21)?, 42);
    api.fail_with(33)?;
    assert_eq!(api.errno(), 33);
    let kinds = api.alloc_str("id")?;
    assert_eq!(api.add_two(&kinds, 40, 2.5)?, 42);
    let kinds = api.alloc_str("s")?;
    assert_eq!(api.add_text(&kinds, &text)?, 4);
    let point = api.alloc(point { x: 1, y: 2 })?;
    assert_eq!(api.POINT_SUM(&point, 5)?, 15);
    let error = api.alloc(Ptr::null())?;
    let database = api.database_open(&error)?;
    assert_eq!(api.database_size(database)?, 5);
    let message = api.read(&error)?;
    assert_eq!(&*api.read_str(message, 64)?, "no error");
    Ok(())
}

fn wrappers(api: &mut lib::Api) -> Result<()> {
    let mut room = [9; 8];
    assert_eq!(api.repeat(&mut room, b"abc")?, 6);
    assert_eq!(&room, b"abcabc\x09\x09");
    let failed = api.repeat(&mut room, b"abcde").unwrap_err();
    assert_eq!(failed.to_string(), "repeat failed with status -5: no room");
    assert!(matches!(failed, Error::Status { function: "repeat", code: -5, .. }));
    let lie = Error::LengthMismatch { expected: 8, actual: 9 };
    assert_eq!(api.repeat(&mut room, b"L"), Err(lie));
    let no_room = api.alloc(0)?;
    assert_eq!(api.repeat_raw(Ptr::null(), &no_room, Ptr::null(), 0)?, 0);

    let mut sum = [0; 3];
    api.checksum(&mut sum, &[1, 2, 3], None)?;
    assert_eq!(sum, [6; 3]);
    api.checksum(&mut sum, &[1, 2, 3], Some(&[7, 7]))?;
    assert_eq!(sum, [108; 3]);
    assert!(matches!(api.checksum(&mut [], &[1], None), Err(Error::Status { code: 1, .. })));

    let mut left = [1.0, 2.0];
    api.add_to(&mut left, &[10.0, 20.0], &[2.0, 0.5])?;
    assert_eq!(left, [7.0, 14.0]);
    let mismatch = Error::LengthMismatch { expected: 2, actual: 1 };
    assert_eq!(api.add_to(&mut left, &[1.0], &[1.0, 1.0]), Err(mismatch));

    let measured = api.measure("1234", Some(c"mm"))?;
    assert_eq!(measured, (21, 24, lib::async_res_t::ASYNC_DONE));
    assert!(matches!(api.measure("12", None), Err(Error::Status { code: -1, .. })));
    assert!(matches!(api.measure("9999", None), Err(Error::InvalidValue(_))));
    assert_eq!(api.measure("a\0b", None), Err(Error::InteriorNul { position: 1 }));

    assert_eq!(&*api.greeting(1)?, "good day");
    assert!(matches!(api.greeting(0), Err(Error::InvalidUtf8 { .. })));
    Ok(())
}

fn callbacks(api: &mut lib::Api) -> Result<()> {
    let mut seen = Vec::new();
    let mut record = |_: &mut lib::Api, (_, place, way): (_, point, direction)| {
        seen.push((place, way));
        Ok(place.y)
    };
    let sum = api.with_callback::<on_point, _>(&mut record, |api, callback| {
        api.for_each(callback, Ptr::null(), 3)
    })??;
    assert_eq!(sum, 30);
    assert_eq!(seen[1], (point { x: 1, y: 10 }, direction::FORTH));

    let own: FnPtr<on_point> = api.own_handler()?;
    assert_eq!(api.call_pointer(own, (Ptr::null(), point { x: 2, y: 3 }, direction::BACK))?, 4);
    assert_eq!(api.for_each(own, Ptr::null(), 2)?, 11);
    let handlers = lib::handlers { handler: own, ..Default::default() };
    let handlers = api.alloc(handlers)?;
    assert_eq!(api.with_handlers(&handlers)?, 3);

    let numbers = api.alloc_slice(&[3, 1, 2])?;
    let mut reverse = |api: &mut lib::Api, (left, right): (Ptr<_>, Ptr<_>)| {
        let left: i32 = api.read(api.upgrade(left.cast())?)?;
        let right: i32 = api.read(api.upgrade(right.cast())?)?;
        Ok(right - left)
    };
    let first = api.with_callback::<lib::sort_order_fn, _>(&mut reverse, |api, order| {
        api.sort(&numbers, 3, order)
    })??;
    assert_eq!(first, 3);
    let by_size = api.fn_ptr("by_size")?;
    assert_eq!(api.sort(&numbers, 3, by_size)?, 1);
    let unknown = api.fn_ptr::<on_point>("by_size").unwrap_err();
    assert_eq!(unknown.to_string(), "no function `by_size` of the type on_point is bound");
    Ok(())
}

/// `longjmp` ends the call, not the instance; also through a nested guarded call.
fn guards(api: &mut lib::Api) -> Result<()> {
    let reader = api.alloc(lib::reader::default())?;
    assert_eq!(api.reader_next(&reader, 2)?, 2);
    assert_eq!(api.reader_next(&reader, -1), Err(Error::NonLocalExit));
    assert_eq!(api.reader_next(&reader, 3)?, 2);

    let mut nested = None;
    let mut progress = |api: &mut lib::Api, (reader, count): (Ptr<lib::reader>, i32)| {
        if count == 5 {
            nested = Some(api.reader_next(reader, -1));
            return Err(api.raise_reader_fail(reader, 40)?);
        }
        Ok(())
    };
    let outcome = api.with_callback::<lib::reader_progress_fn, _>(&mut progress, |api, progress| {
        let watching = lib::reader { progress, ..Default::default() };
        let watched = api.alloc(watching)?;
        assert_eq!(api.reader_next(&watched, 1)?, 1);
        assert_eq!(api.reader_next(&watched, 5), Err(Error::NonLocalExit));
        Ok::<_, Error>(api.read(&watched)?.position)
    })?;
    assert_eq!(nested, Some(Err(Error::NonLocalExit)));
    assert_eq!(outcome?, 40);
    Ok(())
}

fn globals(api: &mut lib::Api) -> Result<()> {
    let counter = api.address_of_counter()?;
    assert_eq!(api.read(api.upgrade(counter)?)?, 7);
    assert_eq!(api.read_counter()?, 7);
    api.write_counter(8)?;
    assert_eq!(api.read_counter()?, 8);
    let invalid = InvalidValue { type_name: "async_res_t", value: 7, valid: &[0, 1, 2] };
    assert_eq!(api.read_never_valid(), Err(Error::InvalidValue(invalid)));
    let names = api.read_names()?;
    assert_eq!(&*api.read_str(names[0], 16)?, "one");
    let names = api.address_of_names()?;
    let names = api.read(api.upgrade(names)?)?;
    assert_eq!(&*api.read_str(names[2], 16)?, "three");
    Ok(())
}

/// What only C can calculate with passes through as bytes.
fn wide_numbers(api: &mut lib::Api) -> Result<()> {
    // 3.0 as the x87 has it: sign and exponent, then a mantissa with its leading one.
    let mut three = [0; 16];
    three[..10].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0xc0, 0x00, 0x40]);
    let three = lib::c_long_double::from_ne_bytes(three);
    assert_eq!(api.whole_part(three)?, 3.0);
    let half = api.halved(three)?;
    let exponent_one_less = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x3f];
    assert_eq!(half.to_ne_bytes()[..10], exponent_one_less);
    let mut z = [0; 16];
    z[..8].copy_from_slice(&2.0f64.to_ne_bytes());
    let turned = api.turned(lib::c_complex_double::from_ne_bytes(z))?.to_ne_bytes();
    assert_eq!(turned[8..], 2.0f64.to_ne_bytes());
    let product = api.product(u128::from(u64::MAX) + 2, -3)?;
    assert_eq!(product, (u128::from(u64::MAX) + 2).wrapping_mul(3).wrapping_neg());
    assert_eq!(api.next_letter(0x1f600)?, 0x1f601);
    Ok(())
}

/// Objects are destroyed with their handles: by the next call, or at once.
fn handles(api: &mut lib::Api) -> Result<()> {
    let first = api.item_new(7)?;
    let second: lib::Item = api.item_open(8)?;
    assert_eq!((api.item_value(&first)?, api.item_value(&second)?), (7, 8));
    assert_eq!(api.items_alive()?, 2);
    drop(first);
    assert_eq!(api.items_alive()?, 1);
    assert_eq!(second.close(api)?, 8);
    assert_eq!(api.items_alive()?, 0);

    assert_eq!(api.item_new(-1).unwrap_err(), Error::Null { type_name: "struct item" });
    assert!(matches!(api.item_open(101), Err(Error::Status { code: -1, .. })));
    assert_eq!(api.items_alive()?, 0, "what came with a failure is destroyed too");

    let given_up = api.item_new(9)?.into_ptr();
    assert_eq!(api.items_alive()?, 1);
    assert_eq!(api.item_free(given_up)?, 9);
    let mut other = Everything::builder().build()?;
    let foreign = other.item_new(1)?;
    assert_eq!(api.item_value(&foreign), Err(Error::WrongInstance));
    Ok(())
}

/// A struct of callbacks that the library keeps.
fn tables(api: &mut lib::Api) -> Result<()> {
    let blocks = Arc::new(Mutex::new([[1u8; 4], [2; 4]]));
    let (source, target) = (Arc::clone(&blocks), Arc::clone(&blocks));
    let flushed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&flushed);
    let driver = Table::new(api, |table| {
        Ok(lib::device {
            read: table.closure::<lib::device_read_fn>(move |api, (_, block, room, size)| {
                let room = api.upgrade_slice_mut(room, size as usize)?;
                api.write_slice(room, &source.lock().unwrap()[block as usize])?;
                Ok(0)
            })?,
            write: table.closure::<lib::device_write_fn>(move |api, (_, block, data, size)| {
                let data = api.upgrade_slice(data, size as usize)?;
                api.read_into(data, &mut target.lock().unwrap()[block as usize])?;
                Ok(0)
            })?,
            flush: table.closure::<lib::device_flush_fn>(move |_, ()| {
                flag.store(true, Ordering::Relaxed);
                Ok(())
            })?,
            block_size: 4,
        })
    })?;
    assert_eq!(api.device_mount(&driver)?, 4);
    assert_eq!(api.device_copy(1, 0)?, 0);
    assert_eq!(*blocks.lock().unwrap(), [[2; 4]; 2]);
    assert!(flushed.load(Ordering::Relaxed));
    drop(driver);
    assert!(api.items_alive().is_ok(), "the library may keep the address; it must not call");
    Ok(())
}

/// Wrappers from what the header says itself.
fn annotations(api: &mut lib::Api) -> Result<()> {
    assert_eq!(api.total(&[1, 2, 39])?, 42);
    let values = api.alloc_slice(&[4, 5])?;
    assert_eq!(api.total_raw(&values, 2)?, 9);
    let mut values = [1.5, -2.0];
    api.scale(&mut values, 2.0)?;
    assert_eq!(values, [3.0, -4.0]);
    let place = api.alloc(point { x: 6, y: 7 })?;
    let place = place.as_ref().as_ptr();
    assert_eq!((api.x_or(Some(place), 1)?, api.x_or(None, 1)?), (6, 1));
    assert_eq!((api.y_or(Some(place), 1)?, api.y_or(None, 1)?), (7, 1));
    // A field of an address that is not checked yet.
    let y: Ptr<i32> = place.field(point::Y);
    assert_eq!(api.read(api.upgrade(y)?)?, 7);
    // A sentinel, such as SQLITE_TRANSIENT.
    let sentinel = FnPtr::<lib::keep_address_destructor_fn>::from_addr(usize::MAX);
    assert_eq!(api.keep_address(sentinel)?.addr(), usize::MAX);
    Ok(())
}

/// C++ with its own library, and zlib, in one instance.
fn mixture() -> Result<()> {
    let mut api = Mixture::builder().build()?;
    assert_eq!(api.words_count("a rose is a rose is a rose")?, 3);
    assert_eq!(api.words_count("do not throw")?, -1);
    assert_eq!(&*api.words_longest("a rose is")?, "rose");
    let data = api.alloc_slice(b"hello")?;
    assert_eq!(api.crc32(0, &data, 5)?, 0x3610_a686);
    let version = api.zlibVersion()?;
    assert!(api.read_str(version, 16)?.starts_with("1."));
    Ok(())
}
