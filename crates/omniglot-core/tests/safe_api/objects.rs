//! Handles of types that lie about their destructors.

use std::cell::Cell;

use omniglot_core::*;

use omniglot_mock::{BASE, Step, instance, panics, run, scripted};

thread_local! {
    /// How long the destructor's frame is.
    static LENGTH: Cell<Option<usize>> = const { Cell::new(Some(16)) };
}

/// The frame of a destructor: as long as [`LENGTH`] says, or a panic.
struct Odd(Vec<u8>);

impl Default for Odd {
    fn default() -> Self {
        Self(vec![0; LENGTH.get().unwrap_or_else(|| panic!("no frame today"))])
    }
}

impl AsRef<[u8]> for Odd {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Odd {
    fn as_mut(&mut self) -> &mut [u8] {
        // Not those that `as_ref` showed.
        self.0.push(0);
        &mut self.0
    }
}

macro_rules! object {
    ($name:ident: $destructor:expr) => {
        #[derive(Debug)]
        enum $name {}
        impl Object for $name {
            const NAME: &'static str = stringify!($name);
            const DESTRUCTOR: u32 = $destructor;
            type Closed = u64;
            type Frame = Odd;
            fn closed(frame: &Odd) -> Result<u64> {
                Ok(frame.as_ref().len() as u64)
            }
        }
    };
}

object!(Thing: 5);
object!(Orphan: u32::MAX);

fn entered(script: &omniglot_mock::Script) -> Vec<usize> {
    script.lock().unwrap().entered.clone()
}

#[test]
fn destructors_with_frames_of_any_length_run_or_do_not() {
    for length in [0, 7, 8, 15, 16, MAX_DESTRUCTOR_FRAME, MAX_DESTRUCTOR_FRAME + 1, 1 << 20] {
        LENGTH.set(Some(length));
        let (mut api, script) = scripted([]);
        drop(Handle::<Thing>::adopt(&*api, Ptr::from_addr(BASE)).unwrap());
        assert_eq!(run(&mut api), Ok(()), "{length}");
        let ran = (HEADER_SIZE..=MAX_DESTRUCTOR_FRAME).contains(&length);
        assert_eq!(entered(&script), if ran { vec![5, 2] } else { vec![2] }, "{length}");
        let closed = Handle::<Thing>::adopt(&*api, Ptr::from_addr(BASE)).unwrap().close(&mut *api);
        let is_odd = !(HEADER_SIZE..=1 << 14).contains(&length);
        assert!(closed.is_ok() || is_odd, "{closed:?}");
        assert_eq!(run(&mut api), Ok(()), "{length}");
    }
}

#[test]
fn a_frame_that_panics_in_a_drop_destroys_nothing_else() {
    let (mut api, script) = scripted([]);
    let handles: Vec<_> =
        (1..4).map(|at| Handle::<Thing>::adopt(&*api, Ptr::from_addr(at)).unwrap()).collect();
    let last = Handle::<Thing>::adopt(&*api, Ptr::from_addr(4)).unwrap();
    LENGTH.set(None);
    for handle in handles {
        assert!(panics(|| drop(handle)));
    }
    LENGTH.set(Some(16));
    drop(last);
    assert_eq!(run(&mut api), Ok(()));
    assert_eq!(entered(&script), [5, 2], "only the last has a frame");
}

#[test]
fn a_destructor_that_does_not_exist_is_passed_over() {
    let (mut api, script) = scripted([]);
    drop(Handle::<Orphan>::adopt(&*api, Ptr::from_addr(1)).unwrap());
    assert_eq!(run(&mut api), Ok(()));
    assert_eq!(entered(&script), [2]);
    let closed = Handle::<Orphan>::adopt(&*api, Ptr::from_addr(1)).unwrap().close(&mut *api);
    assert!(matches!(closed, Err(Error::MissingFunction(_))), "{closed:?}");
}

#[test]
fn one_object_with_two_owners_is_the_librarys_trouble() {
    let (mut api, script) = scripted([]);
    let one = Handle::<Thing>::adopt(&*api, Ptr::from_addr(BASE)).unwrap();
    let other = Handle::<Thing>::adopt(&*api, one.as_ptr()).unwrap();
    drop(one);
    assert!(other.close(&mut *api).is_ok());
    assert_eq!(entered(&script), [5, 5]);
}

#[test]
fn handles_dropped_by_other_threads_wait_for_the_next_call() {
    let (mut api, script) = scripted([]);
    let handles: Vec<_> =
        (1..17).map(|at| Handle::<Thing>::adopt(&*api, Ptr::from_addr(at)).unwrap()).collect();
    std::thread::scope(|threads| {
        for handle in handles {
            threads.spawn(move || {
                LENGTH.set(Some(24));
                drop(handle);
            });
        }
        for _ in 0..10 {
            run(&mut api).unwrap();
        }
    });
    run(&mut api).unwrap();
    assert_eq!(entered(&script).iter().filter(|shim| **shim == 5).count(), 16);
}

#[test]
fn handles_outlive_their_instance_and_its_thread() {
    let handle = std::thread::spawn(|| {
        let api = instance();
        Handle::<Thing>::adopt(&*api, Ptr::from_addr(BASE)).unwrap()
    });
    let handle = handle.join().unwrap();
    let mut other = instance();
    assert_eq!(handle.close(&mut *other), Err(Error::WrongInstance));
    assert_eq!(run(&mut other), Ok(()));
}

#[test]
fn what_foreign_code_calls_an_object_may_be_any_number() {
    let (mut api, script) = scripted([Step::Return]);
    assert!(matches!(Handle::<Thing>::adopt(&*api, Ptr::null()), Err(Error::Null { .. })));
    for address in [1, usize::MAX, BASE - 1] {
        drop(Handle::<Thing>::adopt(&*api, Ptr::from_addr(address)).unwrap());
    }
    assert_eq!(run(&mut api), Ok(()));
    assert_eq!(entered(&script), [5, 5, 5, 2]);
}
