//! What belongs to another instance, or to another life of one.

use std::cell::Cell;

use omniglot_core::*;

use omniglot_mock::*;

/// Every operation on memory with something that is another instance's is refused, and nothing
/// is read or written.
fn refuse_all(api: &mut Scripted, value: RefMut<u32>, many: SliceMut<u32>, bytes: SliceMut<u8>) {
    let wrong = Err(Error::WrongInstance);
    assert_eq!(api.read(value).map(drop), wrong);
    assert_eq!(api.view(value).map(drop), wrong);
    assert_eq!(api.copy_unvalidated(value).map(drop), wrong);
    assert_eq!(api.view_slice(many).map(drop), wrong);
    assert_eq!(api.read_into(many, &mut [0; 2]), wrong);
    assert_eq!(api.write(value, 1), wrong);
    assert_eq!(api.write_slice(many, &[1, 2]), wrong);
    assert_eq!(api.write_slice_with(bytes, |_| ()), wrong);
    assert_eq!(api.copy_within(many, many), wrong);
    assert_eq!(api.address::<u32>(value).map(drop), wrong);
    assert_eq!(api.address::<Void>(many).map(drop), wrong);
    assert_eq!(api.free(many), wrong);
    let own = api.upgrade_slice_mut(Ptr::from_addr(ROOM), 2).unwrap();
    assert_eq!(api.copy_within(many, own), wrong);
    assert_eq!(api.copy_within(own, many), wrong);
}

fn all_of(api: &mut Scripted) -> (RefMut<u32>, SliceMut<u32>, SliceMut<u8>) {
    (
        api.upgrade_mut(Ptr::from_addr(ROOM)).unwrap(),
        api.upgrade_slice_mut(Ptr::from_addr(ROOM), 2).unwrap(),
        api.upgrade_slice_mut(Ptr::from_addr(ROOM), 8).unwrap(),
    )
}

#[test]
fn what_is_another_instances_is_refused_everywhere() {
    let (mut one, mut other) = (instance(), instance());
    let (value, many, bytes) = all_of(&mut one);
    refuse_all(&mut other, value, many, bytes);
    assert_eq!(one.read(value), Ok(0));
}

#[test]
fn what_is_an_earlier_lifes_is_refused_everywhere() {
    let mut api = instance();
    let (value, many, bytes) = all_of(&mut api);
    for _ in 0..3 {
        api.reset().unwrap();
        refuse_all(&mut api, value, many, bytes);
    }
}

thread_local! {
    /// Handles live as long as a thread does: longer than the instance.
    static KEPT: Cell<Option<RefMut<u32>>> = const { Cell::new(None) };
}

#[test]
fn a_handle_smuggled_through_a_thread_local_is_refused() {
    let (mut api, _) = scripted(calls_back(1, 5));
    let smuggled = api.with_callback::<Callback, _>(
        &mut |api, value| {
            let inside = api.scope(|scope| scope.value(value))?;
            KEPT.set(Some(inside));
            assert_eq!(api.read(inside), Err(Error::Stale));
            Ok(value)
        },
        |api, _| run(api),
    );
    assert_eq!(smuggled, Ok(Ok(())));
    let kept = KEPT.get().unwrap();
    // Its scope is over: what is there is somebody else's.
    assert_eq!(api.read(kept), Err(Error::Stale));
    api.reset().unwrap();
    assert_eq!(api.read(kept), Err(Error::WrongInstance));
    drop(api);
    assert_eq!(instance().read(kept), Err(Error::WrongInstance));
}

/// Says another thing each time it is asked.
struct Fickle<T: Copy> {
    answers: [T; 2],
    asked: Cell<usize>,
}

impl<T: Copy> Fickle<T> {
    fn new(first: T, then: T) -> Self {
        Self { answers: [first, then], asked: Cell::new(0) }
    }

    fn answer(&self) -> T {
        let asked = self.asked.replace(self.asked.get() + 1);
        self.answers[asked.min(1)]
    }
}

impl ToRef<u32> for Fickle<RefMut<u32>> {
    fn convert(&self) -> Ref<u32> {
        self.answer().into()
    }
}
impl ToRefMut<u32> for Fickle<RefMut<u32>> {
    fn convert(&self) -> RefMut<u32> {
        self.answer()
    }
}
impl ToSlice<u32> for Fickle<SliceMut<u32>> {
    fn convert(&self) -> Slice<u32> {
        self.answer().into()
    }
}
impl ToSliceMut<u32> for Fickle<SliceMut<u32>> {
    fn convert(&self) -> SliceMut<u32> {
        self.answer()
    }
}
impl ToSliceMut<u8> for Fickle<SliceMut<u8>> {
    fn convert(&self) -> SliceMut<u8> {
        self.answer()
    }
}

#[test]
fn who_changes_his_mind_is_asked_once() {
    let (mut api, mut other) = (instance(), instance());
    let (value, many, bytes) = all_of(&mut api);
    let (wrong, wrongs, wrong_bytes) = all_of(&mut other);
    let longer = api.upgrade_slice_mut(Ptr::<u32>::from_addr(ROOM), 1000).unwrap();
    let once = |asked: &Cell<usize>| assert_eq!(asked.get(), 1, "asked once");

    let fickle = Fickle::new(value, wrong);
    assert_eq!(api.read(&fickle), Ok(0));
    once(&fickle.asked);
    let fickle = Fickle::new(value, wrong);
    assert_eq!(api.write(&fickle, 3), Ok(()));
    once(&fickle.asked);
    let fickle = Fickle::new(many, longer);
    assert_eq!(api.view_slice(&fickle).map(|view| view.len()), Ok(2));
    once(&fickle.asked);
    let fickle = Fickle::new(many, longer);
    assert_eq!(api.read_into(&fickle, &mut [0; 2]), Ok(()));
    once(&fickle.asked);
    let (from, into) = (Fickle::new(many, wrongs), Fickle::new(many, longer));
    assert_eq!(api.copy_within(&from, &into), Ok(()));
    once(&from.asked);
    once(&into.asked);
    let fickle = Fickle::new(bytes, wrong_bytes);
    assert_eq!(api.write_slice_with(&fickle, |bytes| bytes.len()), Ok(8));
    once(&fickle.asked);
    let fickle = Fickle::new(wrong, value);
    assert_eq!(api.view(&fickle).map(drop), Err(Error::WrongInstance));
}

#[test]
fn a_prepared_raise_is_of_one_life_of_one_instance() {
    let (mut one, script) = scripted(calls_back(1, 5));
    let mut kept = None;
    let prepared = one.with_callback::<Callback, _>(
        &mut |api, _| {
            kept = Some(Raise::prepare(&mut *api, 2, &[0; 16])?);
            Ok(0)
        },
        |api, _| run(api),
    );
    assert_eq!(prepared, Ok(Ok(())));
    let raise = kept.unwrap();
    let answer = |api: &mut Scripted, script: &Script| {
        let raised = &mut |_: &mut Interface, _| Err(Escape::Raise(raise));
        api.with_callback::<Callback, _>(raised, |api, function| {
            then(script, calls_back(slot_of(function), 5));
            run(api)
        })?
    };
    // Of the same life: its frame may be another's by now, which is foreign code's trouble.
    assert_eq!(answer(&mut one, &script), Ok(()));
    one.reset().unwrap();
    assert_eq!(answer(&mut one, &script), Err(Error::WrongInstance));
    let (mut other, script) = scripted([]);
    assert_eq!(answer(&mut other, &script), Err(Error::WrongInstance));
    assert_eq!(other.poisoned(), Some(Cause::Abandoned));
}

#[test]
fn memory_of_a_scope_that_ended_is_refused_everywhere() {
    let mut api = instance();
    let ended = api.scope(|scope| Ok((scope.value(1_u32)?, scope.copy_in(&[1_u32, 2])?)));
    let (value, many) = ended.unwrap();
    let check = |api: &mut Scripted| {
        assert_eq!(api.read(value), Err(Error::Stale));
        assert_eq!(api.view_slice(many).map(drop), Err(Error::Stale));
        assert_eq!(api.write(value, 5), Err(Error::Stale));
        assert_eq!(api.read(many.get(1).unwrap()), Err(Error::Stale));
        assert_eq!(api.address::<Void>(many).map(drop), Err(Error::Stale));
    };
    check(&mut api);
    // The same place, in another scope.
    let read = api.scope(|scope| {
        let other = scope.value(2_u32)?;
        assert_eq!(other.as_ptr(), value.as_ptr());
        assert_eq!(scope.read(value), Err(Error::Stale));
        scope.read(other)
    });
    assert_eq!(read, Ok(2));
    api.reset().unwrap();
    assert_eq!(api.read(value), Err(Error::WrongInstance));
}

#[test]
fn memory_of_an_outer_scope_outlives_the_inner_ones() {
    let mut api = instance();
    let read = api.scope(|outer| {
        let value = outer.value(1_u32)?;
        let mut ended = Vec::new();
        for number in 0..3 {
            let own = outer.scope(|scope| {
                assert_eq!(scope.read(value), Ok(1));
                let own = scope.value(number)?;
                assert_eq!(scope.read(own), Ok(number));
                Ok(own)
            })?;
            ended.push(own);
            assert!(ended.iter().all(|own| outer.read(own) == Err(Error::Stale)));
        }
        outer.read(value)
    });
    assert_eq!(read, Ok(1));
}

#[test]
fn a_scope_that_panics_ends() {
    let mut api = instance();
    let mut kept = None;
    assert!(panics(|| api.scope(|scope| -> Result<()> {
        kept = Some(scope.value(1_u32)?);
        panic!("in a scope")
    })));
    assert_eq!(api.read(kept.unwrap()), Err(Error::Stale));
}
