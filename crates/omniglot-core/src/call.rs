//! One call: frame in, events until it returns, frame out.

use crate::callback::Stop;
use crate::domain::{Call, CalledBack, Unfinished};
use crate::{Api, Cause, Error, Event, FnPtr, Reply, Result, Runtime, Signature, Text};

/// How deep calls may nest through callbacks. Each level takes some host stack.
pub const MAX_DEPTH: u32 = 64;

/// Calls a shim with a frame, which then holds what the shim left there behind its header.
///
/// Generated functions come through here. Destructors of dropped handles run first.
///
/// # Errors
/// Whatever ended the call other than a return; [`Error::NonLocalExit`] if a
/// guarded function was left by `longjmp`.
#[cfg_attr(not(feature = "alloc"), inline(always))]
pub fn call<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    #[cfg(feature = "alloc")]
    if api.base().state.waits.get() {
        crate::handle::run_waiting(api);
    }
    call_now(api, shim, frame)
}

/// A call and nothing else.
#[inline(always)]
pub(crate) fn call_now<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    let base = api.base_mut();
    if base.state.domain.start(shim, frame) { Ok(()) } else { go_on(api, frame) }
}

/// Ends a call that called back or failed.
#[cold]
#[inline(never)]
fn go_on<A: Api + ?Sized>(api: &mut A, frame: &mut [u8]) -> Result<()> {
    match api.base_mut().state.domain.unfinished() {
        Some(Unfinished::CalledBack(call, first)) => answer_all(api, call, first, frame),
        Some(Unfinished::Failed(error)) => Err(error),
        None => Err(Error::Misuse("no call is unfinished")),
    }
}

/// Calls a foreign function by its address.
///
/// # Errors
/// As [`call()`]; an address that is no function of this type is foreign code's
/// own crash, which is an error too.
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

/// The address of one of the library's own functions, for where C takes a pointer to it.
///
/// # Errors
/// [`Error::NoSuchFunction`] unless the bindings have a function of that name whose
/// type is `S`, up to the types behind data pointers; as [`call()`].
pub fn fn_ptr<S: Signature, A: Api + ?Sized>(api: &mut A, name: &str) -> Result<FnPtr<S>> {
    const ADDRESS: usize = crate::HEADER_SIZE;
    let none = || Error::NoSuchFunction { name: Text::new(name), signature: S::NAME };
    let known = S::FUNCTIONS.iter().find(|(function, _)| *function == name);
    let (_, shim) = known.ok_or_else(none)?;
    let mut frame = crate::Frame::<{ ADDRESS + size_of::<usize>() }>::new();
    call(api, *shim, frame.bytes_mut())?;
    frame.get(ADDRESS)
}

/// Answers the callbacks of a call until it returns.
fn answer_all<A: Api + ?Sized>(
    api: &mut A,
    call: Call,
    mut called: CalledBack,
    frame: &mut [u8],
) -> Result<()> {
    loop {
        let reply = match answer(api, called) {
            Ok(reply) => reply,
            Err(error) => return Err(api.base_mut().state.domain.end(call, error)),
        };
        let domain = &mut api.base_mut().state.domain;
        match domain.runtime.resume(reply) {
            Ok(Event::Returned) => return domain.finish(call, frame),
            Ok(Event::Callback { slot, arguments }) => called = CalledBack { slot, arguments },
            Err(error) => {
                let error = domain.failed_within(error);
                return Err(domain.end(call, error));
            }
        }
    }
}

/// Runs the closure of a callback. Anything but a reply gives up the instance.
fn answer<A: Api + ?Sized>(api: &mut A, called: CalledBack) -> Result<Reply> {
    let mut guard = AbandonOnUnwind { api, armed: true };
    let outcome = dispatch(&mut *guard.api, called);
    guard.armed = false;
    let base = guard.api.base_mut();
    let error = match outcome {
        Ok(reply) => match base.check_usable() {
            Ok(()) => return Ok(reply),
            Err(error) => error,
        },
        Err(Stop::Abandon) => Error::Abandoned,
        Err(Stop::Error(error)) => error,
    };
    base.poison(Cause::Abandoned);
    Err(error)
}

/// Moves the slot's closure out, runs it, and puts it back unless it was removed.
fn dispatch<A: Api + ?Sized>(api: &mut A, called: CalledBack) -> Result<Reply, Stop> {
    let base = api.base_mut();
    base.run_deferred();
    let (id, mut closure) = base.state.slots.take(called.slot)?;
    let outcome = closure.run(api, called.arguments);
    let base = api.base_mut();
    base.run_deferred();
    drop(base.state.slots.put_back(id, closure));
    outcome
}

/// A panic in a callback gives up the instance; it unwinds no foreign frame,
/// since none is on the host's stack.
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
