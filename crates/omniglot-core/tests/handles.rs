//! Handles of foreign objects: when destructors run, and when they do not.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use omniglot_core::*;
use omniglot_mock::{EXCHANGE, Foreigner, Mock, Step};

define_library! {
    /// A library that does what its script says.
    pub struct Scripted, Interface; DESCRIPTION; default Mock
}
const DESCRIPTION: Description =
    Description { name: "mock", image: &[], shims: 8, slots: 1, functions: &["malloc", "free"] };

const CALL: u32 = 2;
const DESTROY: usize = 5;

/// `int destroy(struct thing *)`.
enum Thing {}

impl Object for Thing {
    const NAME: &'static str = "struct thing";
    const DESTRUCTOR: u32 = DESTROY as u32;
    type Closed = i32;
    type Frame = Frame<24>;
    fn closed(frame: &Self::Frame) -> Result<i32> {
        frame.get(16)
    }
}

/// `void (*)(void)`.
struct Notice;

impl Signature for Notice {
    const NAME: &'static str = "notice";
    const FIRST_SLOT: u32 = 0;
    const SLOTS: u32 = 1;
    const CALLER: u32 = 6;
    type Arguments = ();
    type Return = ();
    type Frame = Frame<16>;
    const RETURN_OFFSET: usize = 0;
    const RETURN_SIZE: usize = 0;
    fn arguments(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
    fn put_return(_: &mut Self::Frame, (): &()) {}
    fn put_call(_: &mut Self::Frame, _: FnPtr<Self>, (): &()) {}
    fn get_return(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
}

fn scripted() -> (Scripted, Arc<Mutex<Foreigner>>) {
    let runtime = Mock::default();
    let foreign = Arc::clone(&runtime.foreign);
    (Scripted::from_runtime(runtime), foreign)
}

fn some_call(api: &mut Interface) -> Result<()> {
    call(api, CALL, Frame::<8>::new().bytes_mut())
}

fn thing(api: &Interface) -> Handle<Thing> {
    Handle::adopt(api, Ptr::from_addr(0x1234)).unwrap()
}

#[test]
fn a_destructor_runs_before_the_next_call() {
    let (mut api, foreign) = scripted();
    let (first, second) = (thing(&api), thing(&api));
    drop(first);
    assert_eq!(foreign.lock().unwrap().entered, []);
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().entered, [DESTROY, CALL as usize]);
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().entered.len(), 3);
    drop(second);
}

#[test]
fn a_poisoned_instance_destroys_nothing() {
    let (mut api, foreign) = scripted();
    let owned = thing(&api);
    foreign.lock().unwrap().script.push_back(Step::Fail(Error::Interrupted));
    some_call(&mut api).unwrap_err();
    drop(owned);
    let poisoned = Err(Error::Poisoned { by: Cause::Interrupted });
    assert_eq!(some_call(&mut api), poisoned);
    assert_eq!(foreign.lock().unwrap().entered, [CALL as usize]);
    assert_eq!(thing(&api).close(&mut *api), Err(Error::Poisoned { by: Cause::Interrupted }));
}

#[test]
fn a_forked_child_begins_nothing() {
    let (mut api, foreign) = scripted();
    drop(thing(&api));
    foreign.lock().unwrap().forked = true;
    assert_eq!(some_call(&mut api), Err(Error::Forked));
    assert_eq!(foreign.lock().unwrap().begun, 0, "the domain is the parent's");
}

#[test]
fn a_destructor_that_fails_poisons_the_call_that_it_came_before() {
    let (mut api, foreign) = scripted();
    drop(thing(&api));
    foreign.lock().unwrap().script.push_back(Step::Fail(Error::Interrupted));
    assert_eq!(some_call(&mut api), Err(Error::Poisoned { by: Cause::Interrupted }));
}

#[test]
fn destructors_and_the_call_are_one_operation() {
    let (mut api, foreign) = scripted();
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().operations, [0; 0]);
    drop((thing(&api), thing(&api)));
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().operations, [3]);
    drop(thing(&api));
    foreign.lock().unwrap().script.push_back(Step::Fail(Error::Interrupted));
    some_call(&mut api).unwrap_err();
    let foreign = foreign.lock().unwrap();
    assert_eq!((&*foreign.operations, foreign.in_operation), (&[3, 1][..], false));
}

#[test]
fn a_panic_ends_the_operation() {
    let (mut api, foreign) = scripted();
    let callback =
        api.register::<Notice>(|_, ()| std::panic::resume_unwind(Box::new("on purpose"))).unwrap();
    drop(thing(&api));
    foreign.lock().unwrap().script.push_back(Step::Callback(Notice::FIRST_SLOT, EXCHANGE));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| some_call(&mut api)));
    assert!(panic.is_err());
    let foreign = foreign.lock().unwrap();
    assert_eq!((&*foreign.operations, foreign.in_operation), (&[1][..], false));
    drop(callback);
}

#[test]
fn close_says_what_the_destructor_said() {
    let (mut api, foreign) = scripted();
    let owned = thing(&api);
    foreign.lock().unwrap().script.push_back(Step::Result(16, 7i32.to_ne_bytes().to_vec()));
    assert_eq!(owned.close(&mut *api), Ok(7));
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().entered, [DESTROY, CALL as usize]);
}

#[test]
fn another_instance_does_not_destroy_it() {
    let (mut one, first) = scripted();
    let (mut other, second) = scripted();
    let owned = thing(&one);
    assert_eq!(other.base().address::<Thing>(&owned), Err(Error::WrongInstance));
    assert_eq!(owned.close(&mut *other), Err(Error::WrongInstance));
    some_call(&mut other).unwrap();
    assert_eq!(second.lock().unwrap().entered, [CALL as usize]);
    some_call(&mut one).unwrap();
    assert_eq!(first.lock().unwrap().entered, [DESTROY, CALL as usize]);
}

#[test]
fn ownership_can_be_given_up_and_outlives_the_instance() {
    let (mut api, foreign) = scripted();
    assert_eq!(thing(&api).into_ptr(), Ptr::from_addr(0x1234));
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().entered, [CALL as usize]);
    let owned = thing(&api);
    drop(api);
    drop(owned);
    let null = Handle::<Thing>::adopt(&*scripted().0, Ptr::null()).unwrap_err();
    assert_eq!(null, Error::Null { type_name: "struct thing" });
}

#[test]
fn after_a_reset_there_is_nothing_left_to_destroy() {
    let (mut api, foreign) = scripted();
    let (before, kept) = (thing(&api), thing(&api));
    drop(before);
    api.reset().unwrap();
    assert_eq!(api.base().address::<Thing>(&kept), Err(Error::WrongInstance));
    drop(kept);
    some_call(&mut api).unwrap();
    assert_eq!(foreign.lock().unwrap().entered, [CALL as usize]);
    assert_eq!(thing(&api).close(&mut *api), Ok(0));
}
