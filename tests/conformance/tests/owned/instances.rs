//! Several instances: each refuses what belongs to another.

use omniglot::{Error, Escape};
use omniglot_conformance::conformance::{Conformance, IntCallback, Padded, ReadCallback};

use super::instance;

#[test]
fn boxes_of_another_instance_are_refused() {
    let (mut own, mut other) = (instance(), instance());
    let numbers = other.alloc_slice(&[1, 2, 3]).unwrap();
    let mine = own.alloc_slice(&[0; 3]).unwrap();
    assert_eq!(own.sum(&numbers, 3), Err(Error::WrongInstance));
    assert_eq!(own.is_null(&numbers), Err(Error::WrongInstance));
    assert_eq!(own.free(&numbers), Err(Error::WrongInstance));
    assert_eq!(own.read_into(&numbers, &mut [0; 3]), Err(Error::WrongInstance));
    assert_eq!(own.view_slice(&numbers).map(drop), Err(Error::WrongInstance));
    assert_eq!(own.write_slice(&numbers, &[0; 3]), Err(Error::WrongInstance));
    assert_eq!(own.copy_within(&numbers, &mine), Err(Error::WrongInstance));
    assert_eq!(own.copy_within(&mine, &numbers), Err(Error::WrongInstance));
    assert_eq!(other.sum(&numbers, 3), Ok(6));
}

#[test]
fn references_of_another_instance_are_refused() {
    let (mut own, mut other) = (instance(), instance());
    let address = other.address_of_counter().unwrap();
    let (reading, writing) = (other.upgrade(address).unwrap(), other.upgrade_mut(address).unwrap());
    let slice = other.upgrade_slice(address, 1).unwrap();
    let slice_mut = other.upgrade_slice_mut(address, 1).unwrap();
    let refused = [
        own.read_int(reading),
        own.read_int(writing),
        own.read_int(slice),
        own.read_int(slice_mut),
        own.read(reading),
        own.read(writing),
        own.view(reading).map(|view| *view),
        own.copy_unvalidated(reading).and_then(|copy| copy.validate()),
    ];
    assert!(refused.iter().all(|result| *result == Err(Error::WrongInstance)), "{refused:?}");
    assert_eq!(own.write_int(writing, 1), Err(Error::WrongInstance));
    assert_eq!(own.write(writing, 1), Err(Error::WrongInstance));
    assert_eq!(other.read_int(reading), Ok(5));
}

#[test]
fn parts_of_foreign_references_are_refused_too() {
    let (own, mut other) = (instance(), instance());
    let structs = other.alloc_slice(&[Padded { first: 1, second: 2, third: 3 }; 2]).unwrap();
    let element = structs.as_slice().get(1).unwrap();
    assert_eq!(own.read(element).map(drop), Err(Error::WrongInstance));
    assert_eq!(own.read(element.field(Padded::SECOND)), Err(Error::WrongInstance));
    assert_eq!(
        own.view_slice(structs.as_slice().range(0, 1).unwrap()).map(drop),
        Err(Error::WrongInstance)
    );
}

/// Returns a raise that `library` prepared for a callback of its own.
fn prepared_raise(library: &mut Conformance) -> Escape {
    let mut prepared = None;
    let result = library.with_callback::<ReadCallback, _>(
        &mut |api, step| {
            prepared = Some(api.raise_reader_fail(omniglot::Ptr::null(), 1)?);
            Ok(step)
        },
        |api, read| {
            let reader = api.reader_open(read)?;
            api.reader_sum(reader, 1)
        },
    );
    assert_eq!(result.unwrap(), Ok(0));
    prepared.unwrap()
}

#[test]
fn a_raise_prepared_by_another_instance_is_refused() {
    let raise = prepared_raise(&mut instance());
    let mut own = instance();
    let result =
        own.with_callback::<ReadCallback, _>(&mut |_, _| Err::<i32, Escape>(raise), |api, read| {
            let reader = api.reader_open(read)?;
            api.reader_sum(reader, 1)
        });
    assert_eq!(result.unwrap(), Err(Error::WrongInstance));
}

#[test]
fn instances_keep_their_state_apart() {
    let (mut one, mut two) = (instance(), instance());
    assert_eq!([one.count_once(), one.count_once(), two.count_once()], [Ok(5), Ok(6), Ok(5)]);
    one.fail_with(33).unwrap();
    assert_eq!(one.errno(), 33);
    two.fail_with(34).unwrap();
    assert_eq!((one.errno(), two.errno()), (33, 34));
    assert!(one.trap().is_err());
    assert_eq!(two.count_once(), Ok(6), "the other one's fault is none of its own");
}

#[test]
fn calls_of_two_instances_nest_in_each_other() {
    let (mut one, mut two) = (instance(), instance());
    let result = one.with_callback::<IntCallback, _>(
        &mut |one, value| {
            let inner = two.with_callback::<IntCallback, _>(
                // From the second library's callback into the first library again.
                &mut |_, value| Ok(one.twice(value)?),
                |two, function| two.call_and_add(function, value),
            )?;
            Ok(inner?)
        },
        |one, function| one.call_and_add(function, 10),
    );
    assert_eq!(result.unwrap(), Ok(22));
}

#[test]
fn a_dropped_instance_leaves_no_process() {
    let library = instance();
    let directory = format!("/proc/{}", library.runtime().process_id());
    assert!(std::path::Path::new(&directory).exists());
    drop(library);
    assert!(!std::path::Path::new(&directory).exists(), "the worker is gone, and reaped");
}
