//! One call: frame in, events until it returns, frame out.

use crate::address::FnPtr;
use crate::base::Api;
#[cfg(feature = "alloc")]
use crate::base::Base;
use crate::callback::Signature;
use crate::domain::{CalledBack, KeptResult, Resumed, Started};
use crate::error::{Cause, Error, Result};
#[cfg(feature = "alloc")]
use crate::queue::{Destructor, MAX_DESTRUCTOR_FRAME, put_address};
use crate::runtime::Reply;
#[cfg(feature = "alloc")]
use crate::runtime::Runtime;
use crate::text::Text;

/// Calls a shim with a frame, which then holds what the shim left there after its header.
///
/// Generated functions call this. Destructors of dropped handles run first.
///
/// # Errors
/// Whatever ended the call other than a return; [`Error::NonLocalExit`] if a
/// guarded function was left by `longjmp`.
#[cfg_attr(not(feature = "alloc"), inline(always))]
pub fn call<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    #[cfg(feature = "alloc")]
    if api.base().state.waits.get() {
        return call_after_waiting(api, shim, frame);
    }
    call_now(api, shim, frame)
}

/// Makes a call, without running destructors first.
#[inline(always)]
fn call_now<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    match api.base_mut().state.domain.start(shim, frame) {
        Ok(Started::Returned) => Ok(()),
        started => go_on(api, frame, started),
    }
}

/// Ends a call that called back or failed.
#[cold]
#[inline(never)]
fn go_on<A: Api + ?Sized>(
    api: &mut A,
    frame: &mut [u8],
    started: KeptResult<Started>,
) -> Result<()> {
    answer_all(api, frame, started).map_err(|kept| api.base_mut().state.domain.error(kept))
}

/// Answers callbacks until the call returns.
///
/// The part that does not depend on the interface is in `domain`, so that it is compiled once.
fn answer_all<A: Api + ?Sized>(
    api: &mut A,
    frame: &mut [u8],
    started: KeptResult<Started>,
) -> KeptResult<()> {
    let Started::CalledBack(paused) = started? else { return Ok(()) };
    let (call, mut called) = api.base_mut().state.domain.called_back(paused);
    loop {
        let reply = answer(api, called);
        match api.base_mut().state.domain.resume(call, reply, frame)? {
            Resumed::CalledBack(next) => called = next,
            Resumed::Returned => return Ok(()),
        }
    }
}

/// Calls a foreign function by its address.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::returns(12, 6_u32), |library| {
/// use omniglot_core::{FnPtr, call_pointer};
///
/// # use omniglot_mock::Callback as price_fn;
/// # let library = &mut **library;
/// # let price = FnPtr::<price_fn>::from_addr(0x1234);
/// // C: typedef uint32_t price_fn(uint32_t count); `price` came from the library.
/// assert_eq!(call_pointer(library, price, 3)?, 6);
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// As [`call()`]; an address that is not a function of this type makes foreign code crash, which is
/// an error too.
pub fn call_pointer<S: Signature, A: Api + ?Sized>(
    api: &mut A,
    function: FnPtr<S>,
    arguments: S::Arguments,
) -> Result<S::Return> {
    let mut frame = S::Frame::default();
    S::put_call(&mut frame, function, &arguments);
    call(api, S::CALLER, frame.as_mut())?;
    S::get_return(&frame)
}

/// The address of one of the library's own functions, to be passed where C takes a pointer to it.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::returns(8, 0x1234_usize), |library| {
/// use omniglot_core::{FnPtr, fn_ptr};
///
/// # use omniglot_mock::Callback as price_fn;
/// # let library = &mut **library;
/// // C: uint32_t list_price(uint32_t count); void shop_use(price_fn *price);
/// let price: FnPtr<price_fn> = fn_ptr(library, "list_price")?; // for `shop_use`
/// assert!(!price.is_null());
/// assert!(fn_ptr::<price_fn, _>(library, "no_such_function").is_err());
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// [`Error::NoSuchFunction`] unless the bindings have a function of that name whose
/// type is `S`, up to the types behind data pointers; as [`call()`].
pub fn fn_ptr<S: Signature, A: Api + ?Sized>(api: &mut A, name: &str) -> Result<FnPtr<S>> {
    const ADDRESS: usize = crate::frame::HEADER_SIZE;
    let none = || Error::NoSuchFunction { name: Text::new(name), signature: S::NAME };
    let known = S::FUNCTIONS.iter().find(|(function, _)| *function == name);
    let (_, shim) = known.ok_or_else(none)?;
    let mut frame = crate::frame::Frame::<{ ADDRESS + size_of::<usize>() }>::new();
    call(api, *shim, frame.bytes_mut())?;
    frame.get(ADDRESS)
}

/// Runs the closure of a callback.
fn answer<A: Api + ?Sized>(api: &mut A, called: CalledBack) -> KeptResult<Reply> {
    let mut guard = AbandonOnUnwind { api, armed: true };
    let reply = dispatch(&mut *guard.api, called);
    guard.armed = false;
    reply
}

/// Moves the slot's closure out, runs it, and puts it back unless it was removed.
fn dispatch<A: Api + ?Sized>(api: &mut A, called: CalledBack) -> KeptResult<Reply> {
    let base = api.base_mut();
    base.run_deferred();
    let taken = base.state.slots.take(called.slot);
    let (id, mut closure) = base.state.domain.keep_error(taken)?;
    let reply = closure.run(api, called.arguments);
    let base = api.base_mut();
    base.run_deferred();
    drop(base.state.slots.put_back(id, closure));
    reply
}

/// A panic in a callback poisons the instance; it unwinds no foreign frame, since none is on the
/// host's stack.
struct AbandonOnUnwind<'a, A: Api + ?Sized> {
    api: &'a mut A,
    armed: bool,
}

impl<A: Api + ?Sized> Drop for AbandonOnUnwind<'_, A> {
    fn drop(&mut self) {
        if self.armed {
            self.api.base_mut().poison(Cause::Abandoned);
        }
    }
}

#[cfg(feature = "alloc")]
impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// Returns true if the destructor's object may still exist.
    fn is_due(&self, destructor: &Destructor) -> bool {
        destructor.instance == self.state.id && self.check_usable().is_ok()
    }
}

/// Runs the queued destructors, and then the call.
///
/// Destructors run before an outermost call only: inside a callback the library may be using the
/// object. If one fails in a way that poisons the instance, the call is refused as `Poisoned`, with
/// the cause. Only those that are queued now run, whatever further drops they cause; and they share
/// the call's time.
#[cfg(feature = "alloc")]
#[cold]
#[inline(never)]
fn call_after_waiting<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    let base = api.base_mut();
    base.state.waits.clear();
    base.run_queued();
    let waiting = base.state.destructors.len();
    if waiting == 0 {
        return call_now(api, shim, frame);
    }
    if base.state.domain.session.depth() > 0 {
        base.state.waits.set();
        return call_now(api, shim, frame);
    }
    // In a forked child the domain is not used; the call reports that.
    if base.check_usable().is_err() {
        base.state.waits.set();
        return call_now(api, shim, frame);
    }
    let operation = Operation::begin(api);
    run_destructors(&mut *operation.api, waiting);
    call_now(&mut *operation.api, shim, frame)
}

#[cfg(feature = "alloc")]
fn run_destructors<A: Api + ?Sized>(api: &mut A, count: usize) {
    for _ in 0..count {
        let Some(next) = api.base().state.destructors.pop() else { return };
        if api.base().is_due(&next) {
            destroy(api, next);
        }
    }
    if !api.base().state.destructors.is_empty() {
        api.base().state.waits.set();
    }
}

/// Several foreign calls that are one operation; it also ends if a callback panics.
#[cfg(feature = "alloc")]
struct Operation<'a, A: Api + ?Sized> {
    api: &'a mut A,
}

#[cfg(feature = "alloc")]
impl<'a, A: Api + ?Sized> Operation<'a, A> {
    fn begin(api: &'a mut A) -> Self {
        api.base_mut().state.domain.session.begin_operation();
        Self { api }
    }
}

#[cfg(feature = "alloc")]
impl<A: Api + ?Sized> Drop for Operation<'_, A> {
    fn drop(&mut self) {
        self.api.base_mut().state.domain.session.end_operation();
    }
}

#[cfg(feature = "alloc")]
#[cold]
fn destroy<A: Api + ?Sized>(api: &mut A, destructor: Destructor) {
    let mut room = [0; MAX_DESTRUCTOR_FRAME];
    if let Some(frame) = room.get_mut(..destructor.frame_size) {
        put_address(frame, destructor.address);
        let _ = call_now(api, destructor.shim, frame);
    }
}
