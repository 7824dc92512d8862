//! Function-pointer types that lie about their frames, slots and results.

use std::cell::Cell;

use omniglot_core::*;

use omniglot_mock::{
    BASE, FRAME, SIZE, bytes_at, calls_back, instance, panics, run, scripted, then,
};

/// Bytes that are another number of bytes each time they are asked for.
#[derive(Debug)]
struct Restless {
    lengths: Cell<usize>,
    bytes: Vec<u8>,
}

thread_local! {
    /// The lengths that a frame has, one after the other.
    static LENGTHS: Cell<&'static [usize]> = const { Cell::new(&[24]) };
}

impl Restless {
    fn next(&self) -> usize {
        let lengths = LENGTHS.get();
        let index = self.lengths.replace(self.lengths.get() + 1);
        lengths[index % lengths.len()]
    }
}

impl Default for Restless {
    fn default() -> Self {
        Self { lengths: Cell::new(0), bytes: vec![0; 2 * SIZE] }
    }
}

impl AsRef<[u8]> for Restless {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.next()]
    }
}

impl AsMut<[u8]> for Restless {
    fn as_mut(&mut self) -> &mut [u8] {
        let len = self.next();
        &mut self.bytes[..len]
    }
}

/// Makes a signature whose constants are these; frames are restless.
macro_rules! lying {
    ($name:ident: $first:expr, $slots:expr, $caller:expr, $offset:expr, $size:expr) => {
        enum $name {}
        impl Signature for $name {
            const NAME: &'static str = stringify!($name);
            const FIRST_SLOT: u32 = $first;
            const SLOTS: u32 = $slots;
            const CALLER: u32 = $caller;
            const FUNCTIONS: &'static [(&'static str, u32)] = &[("not_there", u32::MAX), ("", 0)];
            type Arguments = ();
            type Return = ();
            type Frame = Restless;
            const RETURN_OFFSET: usize = $offset;
            const RETURN_SIZE: usize = $size;
            fn arguments(_: &Restless) -> Result<()> {
                Ok(())
            }
            fn put_return(frame: &mut Restless, (): &()) {
                frame.bytes.fill(0xdd);
            }
            fn put_call(frame: &mut Restless, _: FnPtr<Self>, (): &()) {
                frame.bytes.fill(0xcc);
            }
            fn get_return(_: &Restless) -> Result<()> {
                Ok(())
            }
        }
    };
}

lying!(Modest: 1, 8, 3, 12, 4);
lying!(Everywhere: 0, u32::MAX, u32::MAX, 0, SIZE);
lying!(AtTheEnd: u32::MAX, u32::MAX, 7, usize::MAX, 0);
lying!(Wrapping: u32::MAX - 1, 2, 7, usize::MAX - 3, 4);
lying!(Overflowing: 2, 1, 7, usize::MAX, usize::MAX);

const LENGTHS_OF_FRAMES: &[&[usize]] =
    &[&[0], &[7], &[8], &[9], &[24, 0], &[0, 24], &[16, 4096, 8], &[SIZE / 2 + 16], &[2 * SIZE]];

#[test]
fn frames_of_any_length_are_called_or_refused() {
    for lengths in LENGTHS_OF_FRAMES {
        LENGTHS.set(lengths);
        let mut api = instance();
        let called = api.call_pointer::<Modest>(FnPtr::from_addr(1), ());
        match called {
            Ok(()) | Err(Error::Misuse(_) | Error::OutOfMemory { .. }) => {}
            other => panic!("{lengths:?}: {other:?}"),
        }
        assert_eq!(bytes_at(&api, BASE, SIZE / 2), vec![0; SIZE / 2], "{lengths:?}");
        LENGTHS.set(&[24]);
        assert_eq!(run(&mut api), Ok(()), "{lengths:?}");
    }
}

#[test]
fn callbacks_with_frames_of_any_length_write_results_at_most() {
    for lengths in LENGTHS_OF_FRAMES {
        LENGTHS.set(lengths);
        let mut api = scripted(calls_back(1, 5)).0;
        let ended = api.with_callback::<Modest, _>(&mut |_, ()| Ok(()), |api, _| run(api));
        assert!(matches!(ended, Ok(Ok(()) | Err(Error::OutOfRange { .. }))), "{ended:?}");
        let mut around = bytes_at(&api, FRAME, 64);
        around.drain(8..16);
        assert_eq!(around, [0; 56], "{lengths:?}");
    }
}

#[test]
fn slots_that_do_not_exist_are_never_taken() {
    let mut api = instance();
    let taken = api.with_callback::<AtTheEnd, _>(&mut |_, ()| Ok(()), |_, _| ());
    assert_eq!(taken, Err(Error::NoCallbackSlot { signature: "AtTheEnd" }));
    let taken = api.register::<Wrapping>(|_, ()| Ok(()));
    assert!(matches!(taken, Err(Error::NoCallbackSlot { .. })), "{taken:?}");
    let all: Vec<_> = std::iter::from_fn(|| api.register::<Modest>(|_, ()| Ok(())).ok()).collect();
    assert_eq!(all.len(), 8);
    let all: Vec<_> =
        std::iter::from_fn(|| api.register::<Overflowing>(|_, ()| Ok(())).ok()).collect();
    assert!(all.is_empty(), "another signature has that slot");
}

#[test]
fn a_signature_that_claims_all_slots_gets_those_that_there_are() {
    LENGTHS.set(&[24]);
    let (mut api, script) = scripted([]);
    let all: Vec<_> =
        std::iter::from_fn(|| api.register::<Everywhere>(|_, ()| Ok(())).ok().filter(|_| true))
            .take(100)
            .collect();
    assert_eq!(all.len(), 80);
    then(&script, calls_back(79, 0));
    assert_eq!(run(&mut api), Ok(()), "a result that is no part of the frame is not written");
    assert_eq!(
        api.call_pointer::<Everywhere>(FnPtr::null(), ()).map_err(|e| e.poisons()),
        Err(None)
    );
}

#[test]
fn results_at_the_end_of_the_address_space_are_not_written() {
    LENGTHS.set(&[24]);
    let mut api = scripted(calls_back(2, 5)).0;
    let ended = panics(|| {
        api.with_callback::<Overflowing, _>(&mut |_, ()| Ok(()), |api, _| run(api)).and_then(|e| e)
    });
    // Where arithmetic is checked that is a panic, and the call is given up.
    assert_eq!(ended, cfg!(debug_assertions));
    assert_eq!(api.poisoned(), ended.then_some(Cause::Abandoned));
    let around = bytes_at(&api, FRAME, 64);
    assert_eq!(around[16..], [0; 48]);
}

#[test]
fn shims_and_functions_that_are_not_there_are_named() {
    let mut api = instance();
    let missing = api.call_pointer::<Everywhere>(FnPtr::null(), ());
    assert!(matches!(missing, Err(Error::MissingFunction(_))), "{missing:?}");
    let missing = api.fn_ptr::<Modest>("not_there");
    assert!(matches!(missing, Err(Error::MissingFunction(_))), "{missing:?}");
    assert!(api.fn_ptr::<Modest>("\u{202e}\0").is_err());
    for shim in [8, 79, 1 << 31, u32::MAX] {
        assert!(matches!(call(&mut *api, shim, &mut [0; 32]), Err(Error::MissingFunction(_))));
    }
}
