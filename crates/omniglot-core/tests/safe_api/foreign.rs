//! Types that lie about themselves.

use std::cell::Cell;

use omniglot_core::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};
use omniglot_core::*;

use omniglot_mock::{ROOM, Step, bytes_at, instance, panics, run, scripted};

/// How the type lies; each test has a thread, and so a value, of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    /// More bytes or elements than there are.
    More,
    /// Fewer.
    Fewer,
    /// As many, elsewhere.
    Elsewhere,
    /// No answer at all.
    Panic,
}

thread_local! {
    static LIE: Cell<Lie> = const { Cell::new(Lie::None) };
}

/// A byte that says of itself what [`LIE`] says.
#[derive(Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot_core::zerocopy")]
#[repr(transparent)]
struct Liar(u8);

impl Copy for Liar {}
#[allow(clippy::expl_impl_clone_on_copy, clippy::non_canonical_clone_impl)]
impl Clone for Liar {
    fn clone(&self) -> Self {
        panic!("nobody has a reason to clone what can be copied")
    }
}

/// Bytes that are nobody's.
fn leaked(len: usize) -> &'static mut [u8] {
    // Kept where leak checkers find it.
    static KEPT: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
    let bytes = vec![0xee; len].leak();
    KEPT.lock().unwrap().push(bytes.as_ptr().addr());
    bytes
}

fn lie_about(len: usize) -> usize {
    match LIE.get() {
        Lie::None | Lie::Elsewhere => len,
        Lie::More => len + 1000,
        Lie::Fewer => len.saturating_sub(1),
        Lie::Panic => panic!("a liar at a loss"),
    }
}

impl Foreign for Liar {
    const NAME: &'static str = "liar";
    fn encode(&self, out: &mut [u8]) {
        assert_eq!(out.len(), 1, "no more room than the value has");
        let _ = lie_about(1);
        out.fill(self.0);
    }
    fn as_bytes(elements: &[Self]) -> Option<&[u8]> {
        match LIE.get() {
            Lie::None => Some(elements.as_bytes()),
            _ => Some(leaked(lie_about(elements.len()))),
        }
    }
    fn as_bytes_mut(elements: &mut [Self]) -> Option<&mut [u8]> {
        match LIE.get() {
            Lie::None => Some(elements.as_mut_bytes()),
            _ => Some(leaked(lie_about(elements.len()))),
        }
    }
    fn slice_of(bytes: &[u8]) -> Option<&[Self]> {
        let lied = match LIE.get() {
            Lie::None => bytes,
            _ => leaked(lie_about(bytes.len())),
        };
        <[Self]>::ref_from_bytes(lied).ok()
    }
    fn explain(_: &[u8]) -> InvalidValue {
        panic!("any bits are valid")
    }
}

const LIES: [Lie; 3] = [Lie::More, Lie::Fewer, Lie::Elsewhere];

#[test]
fn what_is_written_is_no_more_than_was_checked() {
    for lie in LIES {
        let mut api = instance();
        let room = api.upgrade_slice_mut(Ptr::<Liar>::from_addr(ROOM), 4).unwrap();
        LIE.set(lie);
        api.write_slice(room, &[Liar(1), Liar(2), Liar(3), Liar(4)]).unwrap();
        LIE.set(Lie::None);
        assert_eq!(bytes_at(&api, ROOM + 4, 1100), [0; 1100], "{lie:?} wrote beyond");
        assert_eq!(bytes_at(&api, ROOM - 8, 8), [0; 8], "{lie:?} wrote before");
    }
}

#[test]
fn a_scope_copies_no_more_than_it_took() {
    for lie in LIES {
        let mut api = instance();
        LIE.set(lie);
        let copied = api.scope(|scope| {
            let before = scope.copy_in(&[0x11_u8; 16])?;
            let lied = scope.copy_in(&[Liar(1), Liar(2)])?;
            let behind = scope.copy_in(&[0x22_u8; 16])?;
            assert_eq!(lied.len(), 2);
            assert_eq!(scope.view_slice(before)?[..], [0x11; 16]);
            assert_eq!(scope.view_slice(behind)?[..], [0x22; 16]);
            Ok(())
        });
        LIE.set(Lie::None);
        assert_eq!(copied, Ok(()), "{lie:?}");
    }
}

#[test]
fn what_is_read_is_as_much_as_was_asked_for() {
    for lie in LIES {
        let api = scripted([]).0;
        let from = api.upgrade_slice(Ptr::<Liar>::from_addr(ROOM), 8).unwrap();
        let mut into = [Liar(7), Liar(7), Liar(7), Liar(7), Liar(7), Liar(7), Liar(7), Liar(7)];
        LIE.set(lie);
        api.read_into(from, &mut into).unwrap();
        LIE.set(Lie::None);
        assert!(into.iter().all(|liar| liar.0 == 0 || lie == Lie::Elsewhere), "{lie:?}: {into:?}");
    }
}

#[test]
fn a_view_of_lies_is_a_view_of_something_that_lives() {
    for lie in LIES {
        let mut api = scripted([Step::Write(ROOM, vec![9; 64])]).0;
        let from = api.upgrade_slice(Ptr::<Liar>::from_addr(ROOM), 64).unwrap();
        LIE.set(lie);
        let view = api.view_slice(from).unwrap();
        LIE.set(Lie::None);
        // Every byte is looked at: Miri would tell.
        let sum: u64 = view.iter().map(|liar| u64::from(liar.0)).sum();
        assert!(sum == 0 || sum == view.len() as u64 * 0xee, "{lie:?}");
        run(&mut api).unwrap();
    }
}

#[test]
fn a_type_that_panics_leaves_the_instance_good() {
    let mut api = instance();
    let room = api.upgrade_slice_mut(Ptr::<Liar>::from_addr(ROOM), 4).unwrap();
    LIE.set(Lie::Panic);
    assert!(panics(|| api.write_slice(room, &[Liar(1), Liar(2), Liar(3), Liar(4)])));
    assert!(panics(|| api.view_slice(room).map(drop)));
    assert!(panics(|| api.alloc(Liar(1)).map(drop)));
    assert!(panics(|| api.scope(|scope| scope.copy_in(&[Liar(1)]).map(drop))));
    LIE.set(Lie::None);
    assert_eq!(api.write_slice(room, &[Liar(1), Liar(2), Liar(3), Liar(4)]), Ok(()));
    assert_eq!(run(&mut api), Ok(()));
}

/// A byte of which only 0 and 1 are valid, and that can't say why.
#[derive(Clone, Copy, Debug, TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot_core::zerocopy")]
#[repr(transparent)]
struct Speechless(bool);

impl Foreign for Speechless {
    const NAME: &'static str = "\u{1b}[31m\u{202e}speechless";
    fn encode(&self, out: &mut [u8]) {
        // Says nothing: the value stays zeros.
        let _ = out;
    }
    /// Any bits as bools: only unsafe code could make such, so these are others.
    fn slice_of(bytes: &[u8]) -> Option<&[Self]> {
        <[Self]>::try_ref_from_bytes(bytes).ok()
    }
    fn explain(_: &[u8]) -> InvalidValue {
        panic!("speechless")
    }
}

#[test]
fn an_invalid_value_is_never_one_of_the_type() {
    let mut api = scripted([Step::Write(ROOM, vec![7; 16])]).0;
    run(&mut api).unwrap();
    let one = api.upgrade(Ptr::<Speechless>::from_addr(ROOM)).unwrap();
    let many = api.upgrade_slice(Ptr::<Speechless>::from_addr(ROOM), 16).unwrap();
    assert!(panics(|| api.read(one).map(drop)));
    assert!(panics(|| api.view(one).map(drop)));
    assert!(panics(|| api.view_slice(many).map(drop)));
    assert!(panics(|| api.read_into(many, &mut [Speechless(true); 16])));
    assert!(panics(|| api.copy_unvalidated(one).unwrap().validate().map(drop)));
    let room = api.upgrade_mut(Ptr::<Speechless>::from_addr(ROOM)).unwrap();
    api.write(room, Speechless(true)).unwrap();
    assert!(!api.read(one).unwrap().0, "what was not encoded is zero");
}

/// A value with the largest alignment that fits the memory, and larger than a chunk.
#[derive(Clone, Copy, TryFromBytes, KnownLayout, Immutable)]
#[zerocopy(crate = "omniglot_core::zerocopy")]
#[repr(C, align(8192))]
struct Wide {
    first: u32,
    second: bool,
}

impl Foreign for Wide {
    const NAME: &'static str = "wide";
    fn encode(&self, out: &mut [u8]) {
        encode_field(&self.first, out, 0);
        encode_field(&self.second, out, 4);
        // Outside the value, and outside of everything.
        encode_field(&self.first, out, 8190);
        encode_field(&self.first, out, usize::MAX);
    }
}

#[test]
fn the_widest_alignment_is_kept_or_refused() {
    let mut api = instance();
    let wide = Wide { first: 5, second: true };
    let boxed = api.alloc(wide).unwrap();
    assert!(api.address::<Wide>(&boxed).unwrap().addr().is_multiple_of(8192));
    let value = api.read(&boxed).unwrap();
    assert_eq!((value.first, value.second), (5, true));
    match api.view(&boxed) {
        Ok(view) => assert!(std::ptr::from_ref(&*view).addr().is_multiple_of(8192)),
        // The mock's memory itself is aligned for less.
        Err(error) => assert!(matches!(error, Error::InvalidValue(_)), "{error:?}"),
    }
    let taken = api.scope(|scope| scope.value(wide).and_then(|wide| scope.read(wide)));
    assert!(taken.is_ok_and(|value| value.second));
}
