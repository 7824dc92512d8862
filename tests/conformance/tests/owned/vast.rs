//! Values larger than a thread's stack: they are viewed, and never copied to the host's stack.

use omniglot::{Error, InvalidValue, Isolation};

use self::library::{VAST_SIZE, Vast};

/// The library with large variables.
#[allow(unreachable_pub, dead_code)]
mod library {
    omniglot::include_library!("vast");
}

const SIZE: usize = VAST_SIZE as usize;
const WRONG: InvalidValue = InvalidValue { type_name: "bool", value: 7, valid: &[0, 1] };

fn instance() -> library::VastLibrary {
    library::VastLibrary::builder()
        .isolation(Isolation::Process)
        .memory_limit(1 << 30)
        .build()
        .unwrap()
}

#[test]
fn large_variables_are_viewed() {
    let mut library = instance();
    assert_eq!(library.view_vast_bytes().unwrap().iter().filter(|byte| **byte == 0).count(), SIZE);
    let place = library.alloc_zeroed::<Vast>(1).unwrap();
    library.vast_fill(&place, 9).unwrap();
    assert!(library.view_vast_bytes().unwrap().iter().all(|byte| *byte == 9));
    assert!(library.view_vast_flags().unwrap().iter().all(|flag| *flag));
    assert!(library.view_vast_table().unwrap().iter().flatten().all(|flag| !flag));
}

#[test]
fn large_structs_are_viewed() {
    let mut library = instance();
    let place = library.alloc_zeroed::<Vast>(1).unwrap();
    library.vast_fill(&place, 9).unwrap();
    let view = library.view_slice(&place).unwrap();
    let [vast] = &*view else { panic!("one of them") };
    assert_eq!((vast.first, vast.last, vast.flags.iter().all(|flag| *flag)), (9, 9, true));
}

#[test]
fn what_is_wrong_in_something_large_is_said() {
    let mut library = instance();
    let place = library.alloc_zeroed::<Vast>(1).unwrap();
    library.vast_spoil(&place).unwrap();
    let wrong = Error::from(WRONG);
    assert_eq!(library.view_slice(&place).map(drop), Err(wrong));
    assert_eq!(library.view_vast_flags().map(drop), Err(wrong));
    assert_eq!(library.view_vast_table().map(drop), Err(wrong));
}

#[test]
fn elements_that_are_large_are_copied_one_by_one() {
    type Row = [bool; 1 << 16];
    let mut library = instance();
    let table = library.address_of_vast_table().unwrap();
    let rows = library.upgrade_slice(table.cast::<Row>(), 1 << 8).unwrap();
    let mut copy = vec![[true; 1 << 16]; 1 << 8];
    library.read_into(rows, &mut copy).unwrap();
    assert!(copy.iter().flatten().all(|flag| !flag));
    let place = library.alloc_zeroed::<Vast>(1).unwrap();
    library.vast_spoil(&place).unwrap();
    assert_eq!(library.read_into(rows, &mut copy), Err(WRONG.into()));
}
