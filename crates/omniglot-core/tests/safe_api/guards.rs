//! Guards that are leaked, swapped, smuggled, and dropped where nobody expects it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use omniglot_core::*;

use omniglot_mock::{Step, *};

/// Counts drops, and may panic in one.
struct Counted {
    drops: Arc<Mutex<u32>>,
    panics: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.drops.lock().unwrap() += 1;
        assert!(!self.panics, "a drop that panics");
    }
}

#[test]
fn leaked_guards_leak_and_nothing_else() {
    let mut api = instance();
    let boxed = api.alloc_slice(&[1_u8; 100]).unwrap();
    let address = boxed.as_slice();
    std::mem::forget(boxed);
    std::mem::forget(api.view_slice(address).unwrap());
    std::mem::forget(api.copy_unvalidated(address.get(0).unwrap()).unwrap());
    let table = Table::<FnPtr<Callback>>::new(&mut *api, |entries| {
        entries.closure::<Callback>(|_, value| Ok(value))
    });
    std::mem::forget(table.unwrap());
    let registered = api.register::<Callback>(|_, value| Ok(value + 1)).unwrap();
    let function = registered.function();
    std::mem::forget(registered);
    assert!(!function.is_null());
    assert_eq!(api.view_slice(address).unwrap()[..], [1; 100]);
    api.reset().unwrap();
    assert_eq!(api.view_slice(address).map(drop), Err(Error::WrongInstance));
}

#[test]
fn a_leaked_callback_is_gone_after_a_reset() {
    let (mut api, script) = scripted([]);
    let drops = Arc::new(Mutex::new(0));
    let counted = Counted { drops: Arc::clone(&drops), panics: false };
    let registered = api.register::<Callback>(move |_, value| {
        let _ = &counted;
        Ok(value)
    });
    std::mem::forget(registered.unwrap());
    api.reset().unwrap();
    assert_eq!(*drops.lock().unwrap(), 1);
    then(&script, calls_back(1, 5));
    assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot: 1 }));
}

#[test]
fn a_closure_that_drops_its_own_handle_lives_until_it_returns() {
    let (mut api, _) = scripted(calls_back(1, 5));
    let drops = Arc::new(Mutex::new(0));
    let handle = Arc::new(Mutex::new(None::<Registered<Callback>>));
    let (own, counted) =
        (Arc::clone(&handle), Counted { drops: Arc::clone(&drops), panics: false });
    let text = String::from("still here");
    let registered = api.register::<Callback>(move |api, value| {
        drop(own.lock().unwrap().take());
        // The removal takes place now, while the closure runs.
        run(api)?;
        assert_eq!(text, "still here");
        assert_eq!(*counted.drops.lock().unwrap(), 0);
        Ok(value)
    });
    *handle.lock().unwrap() = Some(registered.unwrap());
    assert_eq!(run(&mut api), Ok(()));
    assert_eq!(*drops.lock().unwrap(), 1);
}

#[test]
fn a_closure_that_owns_its_own_handle_is_dropped_with_the_instance() {
    let mut api = instance();
    let drops = Arc::new(Mutex::new(0));
    let handle = Arc::new(Mutex::new(None::<Registered<Callback>>));
    let (own, counted) =
        (Arc::clone(&handle), Counted { drops: Arc::clone(&drops), panics: false });
    let registered = api.register::<Callback>(move |_, value| {
        let _ = (&own, &counted);
        Ok(value)
    });
    *handle.lock().unwrap() = Some(registered.unwrap());
    drop(handle);
    drop(api);
    assert_eq!(*drops.lock().unwrap(), 1);
}

#[test]
fn a_borrowed_closure_is_never_entered_twice() {
    let again = calls_back(1, 6);
    let (mut api, _) = scripted(calls_back(1, 5).into_iter().chain(again));
    let seen = RefCell::new(Vec::new());
    let ended = api.with_callback::<Callback, _>(
        &mut |api, value| {
            let mut seen = seen.borrow_mut();
            seen.push(value);
            // Foreign code calls the same slot again, from within.
            assert_eq!(run(api), Err(Error::CallbackBusy));
            seen.push(0);
            Ok(value)
        },
        |api, _| run(api),
    );
    assert!(matches!(ended, Ok(Err(_))), "{ended:?}");
    assert_eq!(seen.into_inner(), [5, 0]);
}

#[test]
fn a_borrowed_closure_is_gone_when_its_borrow_ends() {
    let (mut api, script) = scripted([]);
    let mut function = FnPtr::null();
    for round in 0..20_u32 {
        let local = Box::new(round);
        let with = api
            .with_callback::<Callback, _>(&mut |_, value| Ok(value + *local), |_, here| {
                function = here
            });
        assert_eq!(with, Ok(()));
    }
    let slot = slot_of(function);
    then(&script, calls_back(slot, 5));
    assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot }));
}

#[test]
fn scopes_that_are_left_by_panics_leave_no_closure() {
    let (mut api, script) = scripted([]);
    let local = String::from("borrowed");
    let left = panics(|| {
        api.scope(|scope| -> Result<()> {
            scope.callback::<Callback>(|_, _| Ok(local.len() as u32))?;
            scope.callback::<Callback>(|_, _| Ok(local.len() as u32))?;
            panic!("out of the scope")
        })
    });
    drop(local);
    assert!(left);
    assert_eq!(api.poisoned(), None, "no call was in progress");
    then(&script, calls_back(2, 5));
    assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot: 2 }));
}

#[test]
fn a_capture_that_panics_in_its_drop_keeps_no_other_closure() {
    let (mut api, script) = scripted([]);
    let drops = Arc::new(Mutex::new(0));
    let counted = |panics| Counted { drops: Arc::clone(&drops), panics };
    let left = panics(|| {
        api.scope(|scope| {
            for panics in [true, false, false] {
                let counted = counted(panics);
                scope.callback::<Callback>(move |_, _| {
                    let _ = &counted;
                    Ok(0)
                })?;
            }
            Ok(())
        })
    });
    assert!(left);
    assert_eq!(*drops.lock().unwrap(), 3);
    then(&script, calls_back(3, 5));
    assert_eq!(run(&mut api), Err(Error::NoSuchCallback { slot: 3 }));
}

#[test]
fn what_only_one_thread_may_have_stays_on_it() {
    let (mut api, _) = scripted(calls_back(1, 5));
    let shared = Rc::new(Cell::new(0));
    let seen = api.scope(|scope| {
        let shared = Rc::clone(&shared);
        scope.callback::<Callback>(move |_, value| {
            shared.set(value);
            Ok(value)
        })?;
        run(scope)
    });
    assert_eq!((seen, shared.get(), Rc::strong_count(&shared)), (Ok(()), 5, 1));
    // After which the instance may go.
    std::thread::spawn(move || run(&mut api).unwrap()).join().unwrap();
}

#[test]
fn instances_are_swapped_between_calls_with_their_closures() {
    let (mut one, _) = scripted(calls_back(1, 5));
    let (mut other, _) = scripted(calls_back(1, 7));
    let (first, second) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let store = |place: &Arc<Mutex<u32>>| {
        let place = Arc::clone(place);
        move |_: &mut Interface, value: u32| -> Answer<Callback> {
            *place.lock().unwrap() = value;
            Ok(value)
        }
    };
    let _one = one.register::<Callback>(store(&first)).unwrap();
    let _other = other.register::<Callback>(store(&second)).unwrap();
    std::mem::swap(&mut one, &mut other);
    std::thread::scope(|threads| {
        threads.spawn(|| run(&mut one).unwrap());
        threads.spawn(|| run(&mut other).unwrap());
    });
    assert_eq!((*first.lock().unwrap(), *second.lock().unwrap()), (5, 7));
}

#[test]
fn views_are_read_by_many_threads() {
    let mut api = scripted([Step::Write(ROOM, vec![3; 4096])]).0;
    run(&mut api).unwrap();
    let slice = api.upgrade_slice(Ptr::<u8>::from_addr(ROOM), 4096).unwrap();
    let view = api.view_slice(slice).unwrap();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads
                .spawn(|| assert_eq!(view.iter().map(|byte| u32::from(*byte)).sum::<u32>(), 12288));
        }
        assert_eq!(api.view_slice(slice).unwrap()[7], 3);
    });
}

#[test]
fn another_instance_is_used_while_bytes_are_filled() {
    let (mut one, mut other) = (instance(), instance());
    let room = one.upgrade_slice_mut(Ptr::<u8>::from_addr(ROOM), 64).unwrap();
    let filled = one.write_slice_with(room, |bytes| {
        // The other instance reads into, and writes from, memory of the first.
        let from = other.upgrade_slice_mut(Ptr::<u8>::from_addr(BASE + 0x3000), 64)?;
        other.write_slice(from, &[4; 64])?;
        other.read_into(from, bytes)?;
        other.write_slice(from, bytes)?;
        run(&mut other)
    });
    assert_eq!(filled, Ok(Ok(())));
    assert_eq!(bytes_at(&one, ROOM, 64), [4; 64]);
}

#[test]
fn a_library_of_ones_own_may_do_with_a_runtime_what_it_likes() {
    let (api, _) = scripted([]);
    drop(api);
    let mut session = Session::new(omniglot_mock::Mock::<false>::default());
    let entered = session.enter(0x102, ROOM).unwrap();
    assert_eq!(entered, Event::Returned);
    // Another session counts on: an interruption of a call of this one hits none of that.
    let mut session = Session::new(session.into_runtime());
    assert_eq!(session.enter(0x102, ROOM), Ok(Event::Returned));
    let runtime = session.into_runtime();
    // The state alone, without an interface: nothing can be called with it.
    let mut one = Base::<_, Interface, [Unsized; 0]>::new(runtime, &OTHER);
    let mut two =
        Base::<_, Interface, [Unsized; 0]>::new(omniglot_mock::Mock::<false>::default(), &OTHER);
    let base: &mut Base<_, Interface> = &mut one;
    let boxed = base.alloc(7_u32).unwrap();
    let registered = base.register::<Callback>(|_, value| Ok(value));
    assert!(matches!(registered, Err(Error::NoCallbackSlot { .. })));
    std::mem::swap(&mut one, &mut two);
    let base: &Base<_, Interface> = &one;
    assert_eq!(base.read(&boxed), Err(Error::WrongInstance));
    let base: &Base<_, Interface> = &two;
    assert_eq!(base.read(&boxed), Ok(7));
}

/// Of a library without slots or functions.
const OTHER: Description =
    Description { name: "other", image: &[], shims: 0, slots: 0, functions: &[] };
