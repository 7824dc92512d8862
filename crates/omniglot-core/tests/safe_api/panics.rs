//! Programs that panic wherever code of theirs runs.

use std::panic::resume_unwind;

use omniglot_core::*;

use omniglot_mock::*;

/// Where a program panics, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Frame,
    AsRef,
    AsMut,
    Arguments,
    Closure,
    PutReturn,
    PutCall,
    GetReturn,
}

const PLACES: [Place; 8] = [
    Place::Frame,
    Place::AsRef,
    Place::AsMut,
    Place::Arguments,
    Place::Closure,
    Place::PutReturn,
    Place::PutCall,
    Place::GetReturn,
];

thread_local! {
    static PLACE: std::cell::Cell<Place> = const { std::cell::Cell::new(Place::Nowhere) };
}

fn perhaps(place: Place) {
    if PLACE.get() == place {
        resume_unwind(Box::new("planned"));
    }
}

struct Explosive([u8; 24]);

impl Default for Explosive {
    fn default() -> Self {
        perhaps(Place::Frame);
        Self([0; 24])
    }
}
impl AsRef<[u8]> for Explosive {
    fn as_ref(&self) -> &[u8] {
        perhaps(Place::AsRef);
        &self.0
    }
}
impl AsMut<[u8]> for Explosive {
    fn as_mut(&mut self) -> &mut [u8] {
        perhaps(Place::AsMut);
        &mut self.0
    }
}

enum Panicky {}

impl Signature for Panicky {
    const NAME: &'static str = "panicky";
    const FIRST_SLOT: u32 = 1;
    const SLOTS: u32 = 8;
    const CALLER: u32 = 3;
    type Arguments = ();
    type Return = ();
    type Frame = Explosive;
    const RETURN_OFFSET: usize = 8;
    const RETURN_SIZE: usize = 4;
    fn arguments(_: &Explosive) -> Result<()> {
        perhaps(Place::Arguments);
        Ok(())
    }
    fn put_return(_: &mut Explosive, (): &()) {
        perhaps(Place::PutReturn);
    }
    fn put_call(_: &mut Explosive, _: FnPtr<Self>, (): &()) {
        perhaps(Place::PutCall);
    }
    fn get_return(_: &Explosive) -> Result<()> {
        perhaps(Place::GetReturn);
        Ok(())
    }
}

/// Calls by address, each call from within the callback of the one before; the innermost call
/// panics. `open` callbacks are there already, `left` more are to come.
fn nest(api: &mut Interface, script: &Script, open: u32, left: u32, place: Place) -> Result<()> {
    let local = open.to_string();
    let inside = &mut |api: &mut Interface, ()| -> Answer<Panicky> {
        match left.checked_sub(1) {
            Some(left) => nest(api, script, open + 1, left, place)?,
            None => perhaps(Place::Closure),
        }
        assert_eq!(local, open.to_string());
        Ok(())
    };
    api.with_callback::<Panicky, _>(inside, |api, function| {
        then(script, calls_back(slot_of(function), 0));
        if left == 0 {
            PLACE.set(place);
        }
        api.call_pointer::<Panicky>(FnPtr::from_addr(1), ())
    })?
}

#[test]
fn a_panic_at_any_point_of_a_call_leaves_nothing_behind() {
    for (place, depth) in PLACES.into_iter().flat_map(|place| [(place, 0), (place, 1), (place, 3)])
    {
        let (mut api, script) = scripted([]);
        let panicked = panics(|| nest(&mut api, &script, 0, depth, place));
        PLACE.set(Place::Nowhere);
        assert!(panicked, "{place:?}, {depth} deep");
        let before = [Place::Frame, Place::PutCall, Place::AsMut, Place::GetReturn];
        let is_open = depth > 0 || !before.contains(&place);
        assert_eq!(api.poisoned(), is_open.then_some(Cause::Abandoned), "{place:?}, {depth} deep");
        api.reset().unwrap();
        script.lock().unwrap().script.clear();
        then(&script, calls_back(1, 0));
        assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot: 1 }), "{place:?}");
        api.reset().unwrap();
        assert_eq!(nest(&mut api, &script, 0, 3, Place::Nowhere), Ok(()), "{place:?}");
    }
}

#[test]
fn panics_are_caught_between_calls_that_nest() {
    let (mut api, script) = scripted(calls_back(1, 0));
    let ended = api.with_callback::<Panicky, _>(
        &mut |api, ()| {
            let panicked = panics(|| nest(api, &script, 1, 0, Place::Closure));
            PLACE.set(Place::Nowhere);
            assert!(panicked);
            // The inner call is given up, and with it the instance.
            assert_eq!(run(api), Err(Error::Poisoned { by: Cause::Abandoned }));
            Ok(())
        },
        |api, _| run(api),
    );
    assert_eq!(ended, Ok(Err(Error::Poisoned { by: Cause::Abandoned })));
    api.reset().unwrap();
    assert_eq!(run(&mut api), Ok(()));
}

/// Panics when it is dropped.
struct DropBomb;

impl Drop for DropBomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("planned"));
    }
}

enum Thing {}

impl Object for Thing {
    const NAME: &'static str = "thing";
    const DESTRUCTOR: u32 = 5;
    type Closed = ();
    type Frame = Frame<16>;
    fn closed(_: &Frame<16>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_capture_that_panics_keeps_no_destructor_waiting() {
    let (mut api, script) = scripted([]);
    let bomb = DropBomb;
    let registered = api.register::<Callback>(move |_, value| {
        let _ = &bomb;
        Ok(value)
    });
    let handle = Handle::<Thing>::adopt(&*api, Ptr::from_addr(BASE)).unwrap();
    drop(registered.unwrap());
    drop(handle);
    assert!(panics(|| run(&mut api)), "what was captured is dropped before the call");
    assert_eq!(run(&mut api), Ok(()));
    assert_eq!(script.lock().unwrap().entered, [5, 2]);
}

#[test]
fn captures_that_panic_at_the_end_of_a_life_end_it_all_the_same() {
    let (mut api, script) = scripted([]);
    for _ in 0..2 {
        let bomb = DropBomb;
        let registered = api.register::<Callback>(move |_, value| {
            let _ = &bomb;
            Ok(value)
        });
        std::mem::forget(registered.unwrap());
        assert!(panics(|| api.reset()));
        then(&script, calls_back(1, 0));
        assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot: 1 }));
        api.reset().unwrap();
    }
}

#[test]
fn what_fills_bytes_or_tables_may_panic() {
    let mut api = instance();
    let room = api.upgrade_slice_mut(Ptr::<u8>::from_addr(ROOM), 64).unwrap();
    assert!(panics(|| api.write_slice_with(room, |bytes| {
        bytes.fill(1);
        resume_unwind(Box::new("planned"))
    })));
    assert!(panics(|| Table::<FnPtr<Callback>>::new(&mut *api, |entries| {
        entries.closure::<Callback>(|_, value| Ok(value))?;
        resume_unwind(Box::new("planned"))
    })));
    let all: Vec<_> =
        std::iter::from_fn(|| api.register::<Callback>(|_, value| Ok(value)).ok()).collect();
    assert_eq!(all.len(), 8, "the table's closures are gone");
    assert_eq!(run(&mut api), Ok(()));
}
