//! One call: frame in, events until it returns, frame out.

use crate::callback::Stop;
use crate::frame::header;
use crate::{Api, Base, Cause, Error, Event, FnPtr, Reply, Result, Runtime, Signature, Text};

/// How deep calls may nest through callbacks. Each level takes some host stack.
pub const MAX_DEPTH: u32 = 64;

/// Calls a shim with a frame, which then holds what the shim left there.
///
/// Generated functions come through here. Destructors of dropped handles run first.
///
/// # Errors
/// Whatever ended the call other than a return; [`Error::NonLocalExit`] if a
/// guarded function was left by `longjmp`.
pub fn call<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    #[cfg(feature = "alloc")]
    crate::handle::run_destructors(api);
    call_now(api, shim, frame)
}

/// A call and nothing else.
pub(crate) fn call_now<A: Api + ?Sized>(api: &mut A, shim: u32, frame: &mut [u8]) -> Result<()> {
    let base = api.base_mut();
    let mark = base.state.stack.mark();
    let (entry, arguments) = base.prepare(shim, frame)?;
    base.state.depth += 1;
    let outcome = run(api, entry, arguments);
    let base = api.base_mut();
    base.state.depth -= 1;
    base.state.stack.release(mark);
    outcome?;
    base.state.runtime.window().read(arguments, frame)?;
    match header(frame) {
        Ok(error_number) => base.state.error_number = error_number,
        // The instance stays good: a guard caught the longjmp.
        Err(Error::NonLocalExit) => return Err(Error::NonLocalExit),
        Err(error) => return Err(base.failed(error)),
    }
    Ok(())
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

/// Runs an entry until it returns, answering callbacks.
fn run<A: Api + ?Sized>(api: &mut A, entry: usize, arguments: usize) -> Result<()> {
    let mut event = api.base_mut().state.runtime.enter(entry, arguments);
    loop {
        match event {
            Ok(Event::Returned) => return Ok(()),
            Ok(Event::Callback { slot, arguments }) => {
                let reply = answer(api, slot, arguments)?;
                event = api.base_mut().state.runtime.resume(reply);
                if let Err(error) = event {
                    return Err(api.base_mut().failed_within(error));
                }
            }
            Err(error) => return Err(api.base_mut().failed(error)),
        }
    }
}

/// Runs the closure of a callback. Anything but a reply gives up the instance.
fn answer<A: Api + ?Sized>(api: &mut A, slot: u32, arguments: usize) -> Result<Reply> {
    let mut guard = AbandonOnUnwind { api, armed: true };
    let outcome = dispatch(&mut *guard.api, slot, arguments);
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
fn dispatch<A: Api + ?Sized>(api: &mut A, slot: u32, arguments: usize) -> Result<Reply, Stop> {
    let base = api.base_mut();
    base.run_deferred();
    let (id, mut closure) = base.state.slots.take(slot)?;
    let outcome = closure.run(api, arguments);
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

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// Checks that a call can start and writes its frame.
    fn prepare(&mut self, shim: u32, frame: &[u8]) -> Result<(usize, usize)> {
        self.run_deferred();
        self.check_usable()?;
        if self.state.depth >= MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        let entry = self.entry(shim)?;
        Ok((entry, self.push_frame(frame)?))
    }

    /// The entry address of a shim.
    pub(crate) fn entry(&self, shim: u32) -> Result<usize> {
        self.state.runtime.shim(shim).ok_or_else(|| {
            let name = self.state.description.functions.get(shim as usize);
            Error::MissingFunction(Text::new(name.unwrap_or(&"(unknown)")))
        })
    }

    /// Copies a frame to the top of the host's stack in foreign memory.
    pub(crate) fn push_frame(&mut self, frame: &[u8]) -> Result<usize> {
        const ALIGN: usize = 16;
        let address = self.state.stack.push(frame.len(), ALIGN)?;
        self.state.runtime.window().copy_in(address, frame)?;
        Ok(address)
    }

    /// Poisons the instance: whatever the error, a call was in progress.
    fn failed_within(&mut self, error: Error) -> Error {
        let error = self.failed(error);
        self.poison(Cause::Protocol); // unless the error itself was a better cause
        error
    }

    /// Poisons the instance where the runtime's error means that.
    fn failed(&mut self, error: Error) -> Error {
        let cause = match error {
            Error::NonLocalExit => Some(Cause::NonLocalExit),
            _ => error.poisons(),
        };
        if let Some(cause) = cause {
            self.poison(cause);
        }
        error
    }
}
