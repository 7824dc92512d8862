//! Operations that are two or three others in one, and what may be passed as a pointer.

use std::ffi::c_char;

use omniglot_core::*;

use omniglot_mock::*;

/// `struct node { struct node *next; uint32_t value; };`
#[derive(Debug)]
#[repr(C)]
struct Node {
    next: Ptr<Node>,
    value: u32,
}

impl Node {
    const NEXT: Field<Self, Ptr<Self>> = Field::new(0);
    const VALUE: Field<Self, u32> = Field::new(8);
}

#[test]
fn an_out_parameter_is_zero_until_it_is_written() {
    let mut api = instance();
    api.scope(|scope| {
        scope.copy_in(&[0xff_u8; 64])?;
        Ok(())
    })
    .unwrap();
    let read = api.scope(|scope| {
        let place = scope.out::<u32>()?;
        let before = scope.read(place)?;
        scope.write(place, 7)?;
        Ok((before, scope.read(place)?))
    });
    assert_eq!(read, Ok((0, 7)));
}

#[test]
fn a_value_is_read_at_an_address_only_if_one_is_there() {
    let mut api = instance();
    let place = api.alloc(7_u32).unwrap();
    let address: Ptr<u32> = place.as_ref().as_ptr();
    assert_eq!(api.read_at(address), Ok(7));
    let flag = api.alloc(3_u8).unwrap().as_ref().as_ptr().cast::<bool>();
    assert!(matches!(api.read_at(flag), Err(Error::InvalidValue(_))));
    assert_eq!(api.read_at(Ptr::<u32>::null()), Err(Error::OutOfRange { address: 0, len: 4 }));
}

#[test]
fn a_list_is_followed_until_it_leads_out_of_the_librarys_memory() {
    let mut api = instance();
    let second = ROOM + 64;
    for (place, next, value) in [(ROOM, second, 1), (second, usize::MAX - 7, 2)] {
        let node = Ptr::<Node>::from_addr(place);
        let (next_field, value_field) = (node.field(Node::NEXT), node.field(Node::VALUE));
        let next_field = api.upgrade_mut(next_field).unwrap();
        api.write(next_field, Ptr::from_addr(next)).unwrap();
        let value_field = api.upgrade_mut(value_field).unwrap();
        api.write(value_field, value).unwrap();
    }
    let next = api.follow(Ptr::<Node>::from_addr(ROOM), Node::NEXT).unwrap();
    assert_eq!(api.follow(next, Node::VALUE), Ok(2));
    let nowhere = api.follow(next, Node::NEXT).unwrap();
    assert!(matches!(api.follow(nowhere, Node::VALUE), Err(Error::OutOfRange { .. })));
}

#[test]
fn elements_and_text_are_copied_out_of_checked_memory_alone() {
    let mut api = instance();
    let numbers = api.alloc_slice(&[1_u32, 2, 3]).unwrap();
    let address = numbers.as_slice().as_ptr();
    assert_eq!(api.read_vec(address, 2), Ok(vec![1, 2]));
    assert_eq!(api.read_vec(address, 0), Ok(vec![]));
    assert!(matches!(api.read_vec(address, 1 << 40), Err(Error::OutOfRange { .. })));
    assert!(matches!(api.read_vec(address, usize::MAX), Err(Error::TooLarge { .. })));
    let text = api.alloc_str("bolt").unwrap();
    let address: Ptr<c_char> = text.as_slice().as_ptr();
    assert_eq!(api.read_string(address, 5).as_deref(), Ok("bolt"));
    assert!(matches!(api.read_string(address, 4), Err(Error::Unterminated { .. })));
    // It borrows nothing.
    let copy = api.read_string(address, 64).unwrap();
    run(&mut api).unwrap();
    assert_eq!(copy, "bolt");
}

#[test]
fn bytes_go_where_c_takes_characters() {
    let mut api = instance();
    let boxed = api.alloc_slice(b"bolt\0").unwrap();
    let text = api.alloc_str("bolt").unwrap();
    assert_eq!(api.address::<i8>(&boxed).map(Ptr::addr), Ok(boxed.as_slice().as_ptr().addr()));
    assert!(api.address::<u8>(&text).is_ok());
    let passed = api.scope(|scope| {
        let room = scope.zeroed::<u8>(16)?;
        let characters = scope.copy_in(&[1_i8])?;
        let (room_address, address) =
            (scope.address::<i8>(room)?, scope.address::<u8>(characters)?);
        Ok(room_address.addr() == room.as_ptr().addr()
            && address.addr() == characters.as_ptr().addr())
    });
    assert_eq!(passed, Ok(true));
}

#[derive(Debug, PartialEq)]
enum Failure {
    Own(&'static str),
    Library(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

#[test]
fn a_programs_own_error_leaves_a_scope() {
    let mut api = instance();
    let own: Result<(), Failure> = api.try_scope(|scope| {
        scope.value(1_u32)?;
        Err(Failure::Own("no"))
    });
    assert_eq!(own, Err(Failure::Own("no")));
    let librarys: Result<(), Failure> = api.try_scope(|scope| {
        scope.str("a\0b")?;
        Ok(())
    });
    assert_eq!(librarys, Err(Failure::Library(Error::InteriorNul { position: 1 })));
}

#[test]
fn a_programs_own_error_leaves_a_callback() {
    let (mut api, script) = scripted([]);
    let slot = ErrorSlot::<Failure>::new();
    then(&script, calls_back(1, 5));
    let called = api.scope(|scope| {
        scope.callback::<Callback>(|_, _| Err(slot.escape(Failure::Own("no"))))?;
        run(scope)
    });
    assert_eq!(slot.resolve(called), Err(Failure::Own("no")));
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn errors_say_in_debug_what_they_say_in_display() {
    let error = Error::OutOfMemory { requested: 10 };
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("raise memory_limit"));
    let place = Text::fixed("libz.so.1 deflate+0x12");
    let denied = Error::SyscallDenied { number: 228, name: "clock_gettime", place };
    let said =
        "clock_gettime (228) in libz.so.1 deflate+0x12; `.allow(Permission::Clock)` permits it";
    assert!(denied.to_string().ends_with(said), "{denied}");
}

#[test]
fn a_denied_call_comes_with_a_remedy_where_there_is_one() {
    for (name, place, remedy) in [
        ("clone3", "libx.so.1 f+0x1", "Permission::Threads(n)"),
        ("mprotect", "libx.so.1 f+0x1", "Permission::ExecutableMemory"),
        ("openat", "libx.so.1 f+0x1 for \"/tmp/x\"", ".tmp(bytes)"),
        ("openat", "libx.so.1 f+0x1 for \"/etc/x\"", ".file(..)"),
        ("mkdir", "libx.so.1 f+0x1 for \"/var/x\"", ".tmp(bytes)"),
        ("socket", "libx.so.1 f+0x1", "nothing permits it"),
    ] {
        let denied = Error::SyscallDenied { number: 1, name, place: Text::new(place) };
        assert!(denied.to_string().contains(remedy), "{denied}");
    }
}
