//! What a reset leaves of the life before: nothing.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use omniglot_core::*;
use omniglot_mock::{BASE, Foreigner, Mock, SIZE, Step};

define_library! {
    /// A library that does what its script says.
    pub struct Scripted, Interface; DESCRIPTION; default Mock
}
const DESCRIPTION: Description =
    Description { name: "mock", image: &[], shims: 8, slots: 4, functions: &["malloc", "free"] };

/// `void callback(void)`.
struct Callback;

impl Signature for Callback {
    const NAME: &'static str = "callback_t";
    const FIRST_SLOT: u32 = 0;
    const SLOTS: u32 = 4;
    const CALLER: u32 = 3;
    type Arguments = ();
    type Return = ();
    type Frame = Frame<16>;
    const RETURN_OFFSET: usize = 0;
    const RETURN_SIZE: usize = 0;
    fn arguments(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
    fn put_return(_: &mut Self::Frame, (): &()) {}
    fn put_call(frame: &mut Self::Frame, function: FnPtr<Self>, (): &()) {
        frame.put(8, &function);
    }
    fn get_return(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
}

const FRAME: usize = BASE + 0x1000;

fn scripted(steps: impl IntoIterator<Item = Step>) -> (Scripted, Arc<Mutex<Foreigner>>) {
    let runtime = Mock::default();
    let foreign = Arc::clone(&runtime.foreign);
    foreign.lock().unwrap().script.extend(steps);
    (Scripted::from_runtime(runtime), foreign)
}

fn call_shim(api: &mut Interface) -> Result<()> {
    call(api, 2, Frame::<16>::new().bytes_mut())
}

#[test]
fn references_and_boxes_of_before_are_another_instances() {
    let (mut api, _) = scripted([]);
    let boxed = api.alloc_slice(&[1u8, 2]).unwrap();
    let slice = boxed.as_slice_mut();
    let pointer = slice.as_ptr();
    api.reset().unwrap();
    assert_eq!(api.read_into(slice, &mut [0; 2]), Err(Error::WrongInstance));
    assert_eq!(api.write_slice(&boxed, &[0; 2]), Err(Error::WrongInstance));
    assert_eq!(api.address::<u8>(&boxed), Err(Error::WrongInstance));
    let zeros = api.upgrade_slice(pointer, 2).unwrap();
    assert_eq!(&*api.view_slice(zeros).unwrap(), [0, 0], "a number can be checked anew");
}

#[test]
fn boxes_of_before_give_nothing_back_to_the_next_life() {
    let (mut api, _) = scripted([]);
    let size = SIZE / 4;
    let old = api.alloc_zeroed::<u8>(size).unwrap();
    api.reset().unwrap();
    let _new = api.alloc_zeroed::<u8>(size).unwrap();
    drop(old);
    let full = Err(Error::OutOfMemory { requested: 1 });
    assert_eq!(api.alloc_slice(&[0u8]).map(|_| ()), full, "the new box has all there is");
}

#[test]
fn closures_of_before_are_dropped_and_their_handles_remove_nothing() {
    let (mut api, foreign) = scripted([]);
    let captured = Arc::new(());
    let witness = Arc::downgrade(&captured);
    let old = api
        .register::<Callback>(move |_, ()| {
            let _ = &captured;
            Ok(())
        })
        .unwrap();
    api.reset().unwrap();
    assert!(witness.upgrade().is_none());
    let new = api.register::<Callback>(|_, ()| Ok(())).unwrap();
    assert_eq!(old.function(), new.function(), "the slot is used again");
    drop(old);
    foreign.lock().unwrap().script.push_back(Step::Callback(0, FRAME));
    assert_eq!(call_shim(&mut api), Ok(()));
}

#[test]
fn a_handle_dropped_before_the_reset_removes_nothing_after_it() {
    let (mut api, foreign) = scripted([]);
    drop(api.register::<Callback>(|_, ()| Ok(())).unwrap());
    api.reset().unwrap();
    let _new = api.register::<Callback>(|_, ()| Ok(())).unwrap();
    foreign.lock().unwrap().script.push_back(Step::Callback(0, FRAME));
    assert_eq!(call_shim(&mut api), Ok(()));
}

#[test]
fn a_slot_of_before_is_empty() {
    let (mut api, foreign) = scripted([]);
    let _old = api.register::<Callback>(|_, ()| panic!("of another life")).unwrap();
    api.reset().unwrap();
    foreign.lock().unwrap().script.push_back(Step::Callback(0, FRAME));
    assert_eq!(call_shim(&mut api), Err(Error::NoSuchCallback { slot: 0 }));
}

#[test]
fn a_raise_of_before_is_refused() {
    let (mut api, foreign) = scripted([Step::Callback(0, FRAME)]);
    let mut prepared = None;
    let called = api.with_callback::<Callback, _>(
        &mut |api, ()| {
            prepared = Some(Raise::prepare(api, 2, Frame::<16>::new().bytes())?);
            Ok(())
        },
        |api, _| call_shim(api),
    );
    assert_eq!(called, Ok(Ok(())));
    api.reset().unwrap();
    foreign.lock().unwrap().script.push_back(Step::Callback(0, FRAME));
    let raise = prepared.unwrap();
    let called = api
        .with_callback::<Callback, _>(&mut |_, ()| Err(Escape::Raise(raise)), |api, _| {
            call_shim(api)
        });
    assert_eq!(called, Ok(Err(Error::WrongInstance)));
}

#[test]
fn poison_error_number_and_depth_are_gone() {
    let (mut api, _) = scripted([
        Step::Result(4, 33i32.to_ne_bytes().to_vec()),
        Step::Return,
        Step::Callback(0, FRAME),
    ]);
    call_shim(&mut api).unwrap();
    assert_eq!(api.errno(), 33);
    let _bad = api.register::<Callback>(|_, ()| resume_unwind(Box::new("on purpose"))).unwrap();
    // The panic leaves the count of open calls as it was.
    assert!(catch_unwind(AssertUnwindSafe(|| call_shim(&mut api))).is_err());
    assert_eq!(api.poisoned(), Some(Cause::Abandoned));
    api.reset().unwrap();
    assert_eq!((api.poisoned(), api.errno()), (None, 0));
    let raise = Raise::prepare(&mut api, 2, Frame::<16>::new().bytes());
    assert!(matches!(raise, Err(Error::Misuse(_))), "no call is open");
    assert_eq!(call_shim(&mut api), Ok(()));
}

#[test]
fn the_stack_is_whole_again() {
    let (mut api, _) = scripted([Step::Callback(0, FRAME)]);
    // A panic leaves its call's frame on the stack.
    let _bad = api.register::<Callback>(|_, ()| resume_unwind(Box::new("on purpose"))).unwrap();
    let first = api.scope(|scope| Ok(scope.value(1u8)?.as_ptr())).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| call_shim(&mut api))).is_err());
    api.reset().unwrap();
    let again = api.scope(|scope| Ok(scope.value(1u8)?.as_ptr())).unwrap();
    assert_eq!(first, again);
}

#[test]
fn a_reset_that_fails_poisons_and_can_be_repeated() {
    let refusal = Error::System { operation: "the worker", errno: 11 };
    let (mut api, foreign) = scripted([]);
    let boxed = api.alloc(7u8).unwrap();
    foreign.lock().unwrap().refusals.extend([refusal, refusal]);
    assert_eq!(api.reset(), Err(refusal));
    assert_eq!(api.poisoned(), Some(Cause::Reset));
    assert!(foreign.lock().unwrap().is_killed);
    assert_eq!(api.poisoned(), Some(Cause::Reset));
    assert_eq!(call_shim(&mut api), Err(Error::Poisoned { by: Cause::Reset }));
    assert_eq!(api.read(&boxed), Err(Error::WrongInstance), "the life before ended all the same");
    assert_eq!(api.reset(), Err(refusal));
    assert_eq!(api.reset(), Ok(()));
    assert_eq!((api.poisoned(), call_shim(&mut api)), (None, Ok(())));
}

#[test]
fn a_reset_that_panics_poisons_and_can_be_repeated() {
    let (mut api, foreign) = scripted([]);
    foreign.lock().unwrap().reset_panics = true;
    assert!(catch_unwind(AssertUnwindSafe(|| api.reset())).is_err());
    assert_eq!(api.poisoned(), Some(Cause::Reset));
    // It would be written to memory that is gone.
    assert_eq!(call_shim(&mut api), Err(Error::Poisoned { by: Cause::Reset }));
    assert_eq!(api.reset(), Ok(()));
    assert_eq!((api.poisoned(), call_shim(&mut api)), (None, Ok(())));
}

#[test]
fn the_cause_of_before_is_kept_where_a_reset_fails() {
    let (mut api, foreign) = scripted([Step::Fail(Error::Exited { status: Some(1) })]);
    assert!(call_shim(&mut api).is_err());
    foreign.lock().unwrap().refusals.push_back(Error::NoKeyLeft);
    assert_eq!(api.reset(), Err(Error::NoKeyLeft));
    assert_eq!(api.poisoned(), Some(Cause::Exited));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("in a capture's drop"));
    }
}

#[test]
fn a_capture_that_panics_in_drop_leaves_the_instance_reset() {
    let (mut api, _) = scripted([]);
    let bomb = Bomb;
    let _old = api
        .register::<Callback>(move |_, ()| {
            let _ = &bomb;
            Ok(())
        })
        .unwrap();
    let boxed = api.alloc(7u8).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| api.reset())).is_err());
    assert_eq!((api.poisoned(), api.read(&boxed)), (None, Err(Error::WrongInstance)));
    assert_eq!(call_shim(&mut api), Ok(()));
}

#[test]
fn a_library_is_reset_whatever_its_type() {
    fn reset<L: Library>(library: &mut L) -> (Result<()>, Option<Cause>) {
        (library.reset(), library.poisoned())
    }
    let (mut api, _) = scripted([Step::Fail(Error::Exited { status: None })]);
    assert!(call_shim(&mut api).is_err());
    assert_eq!(Library::poisoned(&api), Some(Cause::Exited));
    assert_eq!(reset(&mut api), (Ok(()), None));
}
