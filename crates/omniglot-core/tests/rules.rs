//! Core's rules, on a runtime whose foreign code is a script.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use omniglot_core::zerocopy::{Immutable, KnownLayout, TryFromBytes};
use omniglot_core::*;
use omniglot_mock::{BASE, EXCHANGE, Foreigner, Mock, READ_ONLY_END, SIZE, Step};

define_library! {
    /// A library that does what its script says.
    pub struct Scripted, Interface; DESCRIPTION; default Mock
}
const DESCRIPTION: Description =
    Description { name: "mock", image: &[], shims: 8, slots: 80, functions: &["malloc", "free"] };

/// `int32_t callback(uint32_t)`.
struct Callback;

impl Signature for Callback {
    const NAME: &'static str = "callback_t";
    const FIRST_SLOT: u32 = 1;
    const SLOTS: u32 = 70;
    const CALLER: u32 = 3;
    const FUNCTIONS: &'static [(&'static str, u32)] = &[("own_callback", 4)];
    type Arguments = u32;
    type Return = i32;
    type Frame = Frame<24>;
    const RETURN_OFFSET: usize = 12;
    const RETURN_SIZE: usize = 4;
    fn arguments(frame: &Self::Frame) -> Result<u32> {
        frame.get(8)
    }
    fn put_return(frame: &mut Self::Frame, value: &i32) {
        frame.put(12, value);
    }
    fn put_call(frame: &mut Self::Frame, function: FnPtr<Self>, argument: &u32) {
        frame.put(8, argument);
        frame.put(16, &function);
    }
    fn get_return(frame: &Self::Frame) -> Result<i32> {
        frame.get(12)
    }
}

const SHIM: u32 = 2;
const FRAME: usize = BASE + 0x1000;

type Foreign_ = Arc<Mutex<Foreigner>>;

fn scripted(steps: impl IntoIterator<Item = Step>) -> (Scripted, Foreign_) {
    let runtime = Mock::default();
    let foreign = Arc::clone(&runtime.foreign);
    foreign.lock().unwrap().script.extend(steps);
    (Scripted::from_runtime(runtime), foreign)
}

fn call_shim(api: &mut Interface) -> Result<i32> {
    let mut frame = Frame::<16>::new();
    call(api, SHIM, frame.bytes_mut())?;
    frame.get(8)
}

fn argument(value: u32) -> Step {
    Step::Write(FRAME + 8, value.to_ne_bytes().to_vec())
}

#[test]
fn a_result_comes_back_validated() {
    let (mut api, _) = scripted([Step::Result(8, 7i32.to_ne_bytes().to_vec()), Step::Return]);
    assert_eq!(call_shim(&mut api), Ok(7));
}

#[test]
fn own_functions_have_addresses() {
    let (mut api, _) = scripted([Step::Result(8, 0x40_1234_usize.to_ne_bytes().to_vec())]);
    assert_eq!(api.fn_ptr::<Callback>("own_callback"), Ok(FnPtr::from_addr(0x40_1234)));
    let unknown = Error::NoSuchFunction { name: Text::new("other"), signature: "callback_t" };
    assert_eq!(api.fn_ptr::<Callback>("other"), Err(unknown));
}

#[test]
fn a_failed_status_has_the_library_s_message_if_it_can_be_read() {
    let text = b"out of \x1b[31mpaper\0".to_vec();
    let (mut api, _) = scripted([Step::Write(FRAME, text), Step::Return]);
    call_shim(&mut api).unwrap();
    let failed = |message| failed_status::<Interface>(&api, "print_page", -3, message).to_string();
    let message = Ptr::from_addr(FRAME);
    assert_eq!(failed(message), "print_page failed with status -3: out of \\u{1b}[31mpaper");
    assert_eq!(failed(Ptr::null()), "print_page failed with status -3");
    assert_eq!(same_length(2, 2), Ok(()));
    assert_eq!(same_length(2, 3), Err(Error::LengthMismatch { expected: 2, actual: 3 }));
}

#[test]
fn a_callback_gets_arguments_and_writes_its_result_only() {
    let (mut api, foreign) = scripted([argument(41), Step::Callback(1, FRAME)]);
    let got = api.with_callback::<Callback, _>(&mut |_, value| Ok(value as i32 + 1), |api, _| {
        call_shim(api)
    });
    assert_eq!(got.unwrap(), Ok(0));
    assert_eq!(foreign.lock().unwrap().replies, [Reply::Return]);
    let result = api.upgrade(Ptr::<i32>::from_addr(FRAME + 12)).unwrap();
    assert_eq!(api.read(result), Ok(42));
    let status = api.upgrade(Ptr::<u64>::from_addr(FRAME)).unwrap();
    assert_eq!(api.read(status), Ok(0));
}

#[test]
fn calls_nest_inside_callbacks() {
    let (mut api, _) = scripted([
        Step::Callback(1, FRAME),
        Step::Result(8, 5i32.to_ne_bytes().to_vec()),
        Step::Return,
        Step::Result(8, 9i32.to_ne_bytes().to_vec()),
        Step::Return,
    ]);
    let mut inner = None;
    let outer = api.with_callback::<Callback, _>(
        &mut |api, _| {
            inner = Some(call_shim(api));
            Ok(0)
        },
        |api, _| call_shim(api),
    );
    assert_eq!(outer.unwrap(), Ok(9));
    assert_eq!(inner, Some(Ok(5)));
}

#[test]
fn a_dead_slot_is_no_such_callback() {
    let (mut api, foreign) = scripted([Step::Callback(1, FRAME)]);
    drop(api.register::<Callback>(|_, _| Ok(0)).unwrap());
    assert_eq!(call_shim(&mut api), Err(Error::NoSuchCallback { slot: 1 }));
    assert!(foreign.lock().unwrap().is_killed);
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
    assert_eq!(call_shim(&mut api), Err(Error::Poisoned { by: Cause::Abandoned }));
}

#[test]
fn slots_far_outside_are_no_such_callback() {
    let (mut api, _) = scripted([Step::Callback(u32::MAX, FRAME)]);
    assert_eq!(call_shim(&mut api), Err(Error::NoSuchCallback { slot: u32::MAX }));
}

#[test]
fn a_running_closure_is_busy() {
    let (mut api, _) = scripted([Step::Callback(1, FRAME), Step::Callback(1, FRAME)]);
    let mut inner = None;
    let outer = api.with_callback::<Callback, _>(
        &mut |api, _| {
            inner = Some(call_shim(api));
            Ok(0)
        },
        |api, _| call_shim(api),
    );
    assert_eq!(inner, Some(Err(Error::CallbackBusy)));
    assert_eq!(outer.unwrap(), Err(Error::Poisoned { by: Cause::Abandoned }));
}

#[test]
fn a_callback_frame_outside_the_window_is_an_error() {
    let (mut api, _) = scripted([Step::Callback(1, BASE + SIZE - 8)]);
    let _registered = api.register::<Callback>(|_, _| panic!("not reached")).unwrap();
    assert!(matches!(call_shim(&mut api), Err(Error::OutOfRange { .. })));
}

#[test]
fn abandoning_poisons() {
    let (mut api, foreign) = scripted([Step::Callback(1, FRAME)]);
    let _registered = api.register::<Callback>(|_, _| Err(Escape::Abandon)).unwrap();
    assert_eq!(call_shim(&mut api), Err(Error::Abandoned));
    assert!(foreign.lock().unwrap().is_killed);
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn a_panic_poisons_and_goes_on_in_the_caller() {
    let (mut api, foreign) = scripted([Step::Callback(1, FRAME)]);
    let _registered = api.register::<Callback>(|_, _| panic!("in a callback")).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| call_shim(&mut api))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in a callback"));
    assert!(foreign.lock().unwrap().is_killed);
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
    assert_eq!(call_shim(&mut api), Err(Error::Poisoned { by: Cause::Abandoned }));
}

#[test]
fn a_panic_in_a_scope_removes_its_callbacks() {
    let (mut api, _) = scripted([]);
    let counter = Cell::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        api.scope(|scope| -> Result<()> {
            scope.callback::<Callback>(|_, _| {
                counter.set(1);
                Ok(0)
            })?;
            panic!("in a scope")
        })
    }));
    assert!(result.is_err());
    let (first, second) = (
        api.register::<Callback>(|_, _| Ok(0)).unwrap(),
        api.register::<Callback>(|_, _| Ok(0)).unwrap(),
    );
    assert_ne!(first.function(), second.function());
}

#[test]
fn a_handle_dropped_in_its_own_closure_is_freed_on_return() {
    let (mut api, _) = scripted([Step::Callback(1, FRAME)]);
    let dropped = Arc::new(());
    let witness = Arc::downgrade(&dropped);
    let handle: Arc<Mutex<Option<Registered<Callback>>>> = Arc::default();
    let own = Arc::clone(&handle);
    let registered = api
        .register::<Callback>(move |_, _| {
            drop(own.lock().unwrap().take());
            let _alive = &dropped;
            Ok(0)
        })
        .unwrap();
    *handle.lock().unwrap() = Some(registered);
    assert_eq!(call_shim(&mut api), Ok(0));
    assert!(witness.upgrade().is_none(), "the closure is gone after it returned");
}

#[test]
fn slots_run_out_and_come_back() {
    let (mut api, _) = scripted([]);
    let mut all: Vec<_> =
        (0..Callback::SLOTS).map(|_| api.register::<Callback>(|_, _| Ok(0)).unwrap()).collect();
    let none = Error::NoCallbackSlot { signature: "callback_t" };
    assert_eq!(api.register::<Callback>(|_, _| Ok(0)).unwrap_err(), none);
    drop(all.pop());
    assert!(api.register::<Callback>(|_, _| Ok(0)).is_ok());
}

#[test]
fn raise_is_passed_on_and_the_instance_stays_good() {
    let (mut api, foreign) = scripted([Step::Callback(1, FRAME)]);
    let _registered = api
        .register::<Callback>(|api, _| {
            Err(Escape::Raise(Raise::prepare(api, SHIM, Frame::<16>::new().bytes())?))
        })
        .unwrap();
    assert_eq!(call_shim(&mut api), Ok(0));
    assert!(matches!(foreign.lock().unwrap().replies[..], [Reply::Raise { entry: 0x102, .. }]));
}

#[test]
fn depth_is_bounded() {
    let (mut api, _) = scripted([]);
    assert_eq!(dive(&mut api, MAX_DEPTH - 1), Ok(0));
    assert_eq!(dive(&mut api, MAX_DEPTH), Err(Error::TooDeep { limit: MAX_DEPTH }));
    assert_eq!(api.poisoned(), None);
    assert_eq!(call_shim(&mut api), Ok(0));
}

/// Calls, and calls again from the callback, each time with a fresh closure.
fn dive(api: &mut Interface, levels: u32) -> Result<i32> {
    if levels == 0 {
        return call_shim(api);
    }
    let outcome = Cell::new(Ok(0));
    let called = api.with_callback::<Callback, _>(
        &mut |api, _| {
            outcome.set(dive(api, levels - 1));
            Ok(0)
        },
        |api, function| {
            let slot = (function.addr() - 0x200) as u32;
            api.runtime().foreign.lock().unwrap().script.push_front(Step::Callback(slot, FRAME));
            call_shim(api)
        },
    )?;
    outcome.get().and(called)
}

#[test]
fn references_of_another_instance_are_refused() {
    let (mut one, _) = scripted([]);
    let (mut other, _) = scripted([]);
    let boxed = one.alloc_slice(&[1u8, 2]).unwrap();
    assert_eq!(other.read_into(&boxed, &mut [0; 2]), Err(Error::WrongInstance));
    assert_eq!(other.write_slice(&boxed, &[0; 2]), Err(Error::WrongInstance));
    let filled = other.write_slice_with(boxed.as_slice_mut(), |bytes| bytes.fill(0));
    assert_eq!(filled, Err(Error::WrongInstance));
    assert_eq!(other.address::<u8>(&boxed), Err(Error::WrongInstance));
    assert_eq!(one.read_into(&boxed, &mut [0; 2]), Ok(()));
}

#[test]
fn ranges_alignment_and_sizes_are_checked() {
    let (api, _) = scripted([]);
    let out_of_range = |address, len| Err(Error::OutOfRange { address, len });
    let at = |address| api.upgrade(Ptr::<u32>::from_addr(address)).map(|_| ());
    assert_eq!(at(BASE), Ok(()));
    assert_eq!(at(BASE - 4), out_of_range(BASE - 4, 4));
    assert_eq!(at(BASE + SIZE), out_of_range(BASE + SIZE, 4));
    assert_eq!(at(0), out_of_range(0, 4));
    assert_eq!(at(usize::MAX - 3), out_of_range(usize::MAX - 3, 4));
    assert_eq!(at(BASE + 2), Err(Error::Misaligned { address: BASE + 2, align: 4 }));
    let huge = api.upgrade_slice(Ptr::<u32>::from_addr(BASE), usize::MAX / 2).map(|_| ());
    assert_eq!(huge, Err(Error::TooLarge { elements: usize::MAX / 2 }));
    let empty = api.upgrade_slice(Ptr::<u32>::null(), 0).unwrap();
    assert_eq!(&*api.view_slice(empty).unwrap(), &[] as &[u32]);
}

#[test]
fn every_place_of_a_value_is_validated() {
    let (mut api, _) = scripted([]);
    let bytes = api.alloc_slice(&[0u8, 1, 2]).unwrap();
    let bools = api.upgrade_slice(bytes.as_slice().as_ptr().cast::<bool>(), 3).unwrap();
    let wrong = Error::from(InvalidValue { type_name: "bool", value: 2, valid: &[0, 1] });
    assert_eq!(api.view_slice(bools).unwrap_err(), wrong);
    assert_eq!(api.read_into(bools, &mut [true; 3]), Err(wrong));
    assert_eq!(api.read(bools.get(2).unwrap()), Err(wrong));
    assert_eq!(api.view(bools.get(2).unwrap()).unwrap_err(), wrong);
    let kept = api.copy_unvalidated(bools.get(2).unwrap()).unwrap();
    assert_eq!((kept.as_bytes(), kept.validate()), (&[2][..], Err(wrong)));
    let good = bools.range(0, 2).unwrap();
    assert_eq!(&*api.view_slice(good).unwrap(), [false, true]);
}

#[test]
fn strings_end_in_time_or_not_at_all() {
    let (mut api, _) = scripted([]);
    let text = api.alloc_str("grüß dich").unwrap();
    let pointer = text.as_slice().as_ptr();
    assert_eq!(&*api.read_str(pointer, 64).unwrap(), "grüß dich");
    let address = pointer.addr();
    assert_eq!(api.read_cstr(pointer, 11).unwrap_err(), Error::Unterminated { address, max: 11 });
    assert_eq!(api.read_cstr(pointer, 12).unwrap().to_bytes().len(), 11);
    let cut = pointer.offset(3);
    let error = Error::InvalidUtf8 { address: cut.addr(), valid_up_to: 0 };
    assert_eq!(api.read_str(cut, 64).unwrap_err(), error);
    assert_eq!(api.alloc_str("a\0b").unwrap_err(), Error::InteriorNul { position: 1 });
    let end = Ptr::from_addr(BASE + SIZE - 1);
    let last = api.upgrade_mut(end.cast::<u8>()).unwrap();
    api.write(last, 1).unwrap();
    let unterminated = Error::Unterminated { address: end.addr(), max: 64 };
    assert_eq!(api.read_cstr(end, 64).unwrap_err(), unterminated);
}

#[test]
fn boxes_are_freed_when_dropped() {
    let (mut api, _) = scripted([]);
    let size = SIZE / 4;
    for _ in 0..3 {
        let whole = api.alloc_zeroed::<u8>(size).unwrap();
        let full = Error::OutOfMemory { requested: 1 };
        assert_eq!(api.alloc_slice(&[0u8]).map(|_| ()), Err(full));
        drop(whole);
    }
}

#[test]
fn scopes_give_back_what_they_took() {
    let (mut api, _) = scripted([]);
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let address = api.scope(|scope| Ok(scope.copy_in(&[1u32, 2, 3])?.as_ptr().addr()));
        addresses.push(address.unwrap());
    }
    assert_eq!(addresses[0], addresses[1]);
    assert!(addresses[0] >= EXCHANGE);
    let full = api.scope(|scope| scope.zeroed::<u8>(SIZE).map(|_| ()));
    assert_eq!(full, Err(Error::OutOfMemory { requested: SIZE }));
}

#[test]
fn overlapping_copies_stay_whole() {
    let (mut api, _) = scripted([]);
    let numbers: Vec<u16> = (0..6000).collect();
    let place = api.alloc_slice(&numbers).unwrap();
    let all = place.as_slice_mut();
    for (from, into) in [(0, 7), (7, 0)] {
        api.write_slice(all, &numbers).unwrap();
        api.copy_within(all.range(from, 5990).unwrap(), all.range(into, 5990).unwrap()).unwrap();
        let moved = api.view_slice(all).unwrap();
        assert_eq!(moved[into..into + 5990], numbers[from..from + 5990]);
    }
}

#[test]
fn failures_of_the_runtime_poison() {
    let fault = Fault { kind: FaultKind::Access, address: 8, place: Text::default() };
    let (mut api, _) = scripted([Step::Fail(Error::Fault(fault))]);
    assert_eq!(call_shim(&mut api), Err(Error::Fault(fault)));
    assert_eq!(api.poisoned(), Some(Cause::Fault));
    assert_eq!(api.alloc_slice(&[0u8]).unwrap_err(), Error::Poisoned { by: Cause::Fault });
}

#[test]
fn instances_move_between_threads_and_views_are_shared() {
    let (mut api, _) = scripted([]);
    let numbers = api.alloc_slice(&[1u32, 2, 3]).unwrap();
    let api = std::thread::spawn(move || api).join().unwrap();
    let view = api.view_slice(&numbers).unwrap();
    let sum: u32 = std::thread::scope(|scope| scope.spawn(|| view.iter().sum()).join().unwrap());
    assert_eq!(sum, 6);
}

#[test]
fn views_of_concurrent_memory_are_copies() {
    let mut api: Scripted<Mock<true>> = Scripted::from_runtime(Mock::default());
    let numbers = api.alloc_slice(&[1u32, 2, 3]).unwrap();
    let view = api.view_slice(&numbers).unwrap();
    api.runtime().scribble(numbers.as_slice().as_ptr().addr(), &[9; 12]);
    assert_eq!(&*view, [1, 2, 3]);
}

#[test]
fn what_a_forked_child_fills_is_not_written() {
    let mut api: Scripted<Mock<true>> = Scripted::from_runtime(Mock::default());
    let foreign = Arc::clone(&api.runtime().foreign);
    let numbers = api.alloc_slice(&[1u8, 2, 3]).unwrap();
    let filled = api.write_slice_with(numbers.as_slice_mut(), |bytes| {
        bytes.fill(9);
        foreign.lock().unwrap().forked = true;
    });
    assert_eq!(filled, Err(Error::Forked));
    foreign.lock().unwrap().forked = false;
    assert_eq!(&*api.view_slice(&numbers).unwrap(), [1, 2, 3]);
}

/// Says that it has more bytes than it has.
#[derive(Clone, Copy, TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot_core::zerocopy")]
struct Liar(u8);

impl Foreign for Liar {
    const NAME: &'static str = "liar";
    fn encode(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
    fn as_bytes(_: &[Self]) -> Option<&[u8]> {
        Some(&[7; 64])
    }
}

#[test]
fn no_more_is_written_than_was_checked() {
    let (mut api, _) = scripted([]);
    let numbers = api.alloc_slice(&[1u8, 2, 3]).unwrap();
    let first = Ptr::<Liar>::from_addr(numbers.as_slice().as_ptr().addr());
    let first = api.upgrade_mut(first).unwrap();
    assert_eq!(api.write(first, Liar(5)), Ok(()));
    assert_eq!(&*api.view_slice(&numbers).unwrap(), [5, 2, 3]);
    let copied = api.scope(|scope| {
        let next = scope.reserve::<u8>(2)?;
        scope.write_slice(next, &[8, 8])?;
        let liar = scope.copy_in(&[Liar(6)])?;
        let first = scope.upgrade_slice(Ptr::<u8>::from_addr(liar.as_ptr().addr()), 1)?;
        let mut bytes = ([0; 1], [0; 2]);
        scope.read_into(first, &mut bytes.0)?;
        scope.read_into(next, &mut bytes.1)?;
        Ok(bytes)
    });
    assert_eq!(copied, Ok(([6], [8, 8])));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a capture's drop");
    }
}

#[test]
fn a_capture_that_panics_in_drop_leaves_no_closure_behind() {
    let (mut api, _) = scripted([Step::Callback(1, FRAME)]);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let seen = Cell::new(0);
        api.scope(|scope| {
            let bomb = Bomb;
            scope.callback::<Callback>(move |_, _| {
                let _ = &bomb;
                Ok(0)
            })?;
            scope.callback::<Callback>(|_, _| {
                seen.set(1);
                Ok(0)
            })?;
            Ok(())
        })
    }));
    assert!(result.is_err());
    api.runtime().foreign.lock().unwrap().script = [Step::Callback(2, FRAME)].into();
    assert_eq!(call_shim(&mut api), Err(Error::NoSuchCallback { slot: 2 }));
}

#[test]
fn huge_lengths_are_errors() {
    let (mut api, _) = scripted([]);
    let requested = isize::MAX as usize;
    assert!(matches!(api.alloc_zeroed::<u8>(requested), Err(Error::OutOfMemory { .. })));
    let too_large = Err(Error::TooLarge { elements: requested + 1 });
    assert_eq!(api.alloc_zeroed::<u8>(requested + 1).map(|_| ()), too_large);
}

#[test]
fn an_unknown_status_breaks_the_protocol() {
    let (mut api, _) = scripted([Step::Result(0, 9u32.to_ne_bytes().to_vec()), Step::Return]);
    assert!(matches!(call_shim(&mut api), Err(Error::Protocol(_))));
    assert_eq!(api.poisoned(), Some(Cause::Protocol));
}

#[test]
fn a_guarded_exit_leaves_the_instance_good() {
    let (mut api, _) = scripted([Step::Result(0, 1u32.to_ne_bytes().to_vec()), Step::Return]);
    assert_eq!(call_shim(&mut api), Err(Error::NonLocalExit));
    assert_eq!(call_shim(&mut api), Ok(0));
}

#[test]
fn raise_outside_a_callback_is_refused() {
    let (mut api, _) = scripted([]);
    let raise = Raise::prepare(&mut api, SHIM, Frame::<16>::new().bytes());
    assert!(matches!(raise, Err(Error::Misuse(_))));
}

#[test]
fn code_and_constants_of_the_library_cannot_be_written() {
    let (mut api, _) = scripted([]);
    let constant = Ptr::<u32>::from_addr(BASE);
    assert_eq!(api.upgrade(constant).map(drop), Ok(()));
    let read_only = Err(Error::ReadOnly { address: BASE, len: 4 });
    assert_eq!(api.upgrade_mut(constant).map(drop), read_only);
    let two = Err(Error::ReadOnly { address: BASE, len: 8 });
    assert_eq!(api.upgrade_slice_mut(constant, 2).map(drop), two);
    assert_eq!(api.upgrade_slice_mut(constant, 0).map(drop), Ok(()));
    let data = api.upgrade_mut(Ptr::<u32>::from_addr(READ_ONLY_END)).unwrap();
    assert_eq!(api.write(data, 7), Ok(()));
}

#[test]
fn a_callbacks_result_is_not_written_over_code() {
    let (mut api, _) = scripted([Step::Callback(1, BASE)]);
    let outcome = api.with_callback::<Callback, _>(&mut |_, _| Ok(1), |api, _| call_shim(api));
    assert_eq!(outcome, Ok(Err(Error::ReadOnly { address: BASE + 12, len: 4 })));
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn a_forked_child_gets_nothing() {
    let (mut api, foreign) = scripted([]);
    let word = api.upgrade_mut(Ptr::<u32>::from_addr(FRAME)).unwrap();
    foreign.lock().unwrap().forked = true;
    let forked = Err(Error::Forked);
    assert_eq!(call_shim(&mut api).map(drop), forked);
    assert_eq!(api.upgrade(Ptr::<u32>::from_addr(FRAME)).map(drop), forked);
    assert_eq!(api.read(word).map(drop), forked);
    assert_eq!(api.view(word).map(drop), forked);
    assert_eq!(api.write(word, 1), forked);
    assert_eq!(api.read_cstr(Ptr::from_addr(FRAME), 4).map(drop), forked);
    assert_eq!(api.scope(|_| Ok(())), forked);
    foreign.lock().unwrap().forked = false;
    assert_eq!(api.read(word), Ok(0));
}

#[test]
fn a_callback_that_forked_is_not_answered_in_the_child() {
    let (mut api, foreign) = scripted([argument(1), Step::Callback(1, FRAME)]);
    let in_child = Arc::clone(&foreign);
    let outcome = api.with_callback::<Callback, _>(
        &mut |_, _| {
            in_child.lock().unwrap().forked = true;
            Ok(1)
        },
        |api, _| call_shim(api),
    );
    assert_eq!(outcome, Ok(Err(Error::Forked)));
    assert!(foreign.lock().unwrap().replies.is_empty());
}

#[test]
fn text_of_known_length_is_checked() {
    let (mut library, _) = scripted([]);
    let text = library.alloc_slice("a\0é".as_bytes()).unwrap();
    assert_eq!(&*library.view_str(&text).unwrap(), "a\0é");
    let part = text.as_slice().range(0, 3).unwrap();
    let address = part.as_ptr().addr();
    let error = library.view_str(part).unwrap_err();
    assert_eq!(error, Error::InvalidUtf8 { address, valid_up_to: 2 });
}
