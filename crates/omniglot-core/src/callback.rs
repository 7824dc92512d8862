//! Closures that foreign code calls.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc};
#[cfg(feature = "alloc")]
use core::marker::PhantomData;

use crate::address::FnPtr;
use crate::base::{Api, Base};
use crate::domain::KeptResult;
use crate::error::{Error, Result};
use crate::identity::InstanceId;
use crate::runtime::{Reply, Runtime};
use crate::slots::{Among, Closure, Erased, SlotId};

/// A C function-pointer type, as generated.
///
/// Its frame is a C struct of header, arguments, result and function pointer, used
/// for callbacks into the host and for calls of a foreign function by address.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no C function-pointer type",
    label = "no `Signature`",
    note = "write the type that was generated for the C function pointer: named as its typedef, or as function and parameter or struct and field where C gives it no name"
)]
pub trait Signature: 'static {
    /// The type's name in messages.
    const NAME: &'static str;
    /// The first of the callback slots whose C trampolines have this type.
    const FIRST_SLOT: u32;
    /// How many closures can exist at a time.
    const SLOTS: u32;
    /// How many slots there are: more than closures, so that the C address of a removed closure
    /// calls no closure for a while. A new closure gets the slot that has been free for longest.
    const ADDRESSES: u32 = Self::SLOTS;
    /// The shim that calls a function of this type by its address.
    const CALLER: u32;
    /// The library's functions of this type: C name, and the shim that gives the address.
    const FUNCTIONS: &'static [(&'static str, u32)] = &[];
    /// The arguments: one as it is, none or several as a tuple.
    type Arguments;
    /// The result; `()` for `void`.
    type Return;
    /// The frame's bytes.
    type Frame: AsRef<[u8]> + AsMut<[u8]> + Default;
    /// Where the result is in the frame, in bytes.
    const RETURN_OFFSET: usize;
    /// The result's size in bytes; 0 for `void`.
    const RETURN_SIZE: usize;

    /// Reads and validates the arguments.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if one is not a valid value of its type.
    fn arguments(frame: &Self::Frame) -> Result<Self::Arguments>;
    /// Writes the result.
    fn put_return(frame: &mut Self::Frame, value: &Self::Return);
    /// Writes function and arguments of a call by address.
    fn put_call(frame: &mut Self::Frame, function: FnPtr<Self>, arguments: &Self::Arguments);
    /// Reads and validates the result of a call by address.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if it is not a valid value of its type.
    fn get_return(frame: &Self::Frame) -> Result<Self::Return>;
}

/// A closure's answer to a callback of signature `S`.
pub type Answer<S> = core::result::Result<<S as Signature>::Return, Escape>;

/// The input of a fallible callback of signature `S`: its arguments, or the error that they are not
/// valid values of their types.
pub type Received<S> = Result<<S as Signature>::Arguments>;

/// How a callback leaves the foreign call instead of returning to it.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
/// use omniglot_core::{Error, Escape};
///
/// # use omniglot_mock::{Callback as visit_fn, run as for_each};
/// let outcome = library.scope(|library| {
///     library.callback::<visit_fn>(|_, value| match value {
///         0 => Ok(1),                              // return to C, with a result
///         7 => Err(Escape::Abandon),               // the call of C ends here
///         _ => Err(Error::Misuse("large").into()), // as does this, with an error
///     })?;
///     for_each(library)
/// });
/// assert_eq!(outcome, Err(Error::Abandoned));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Abandon the foreign call: it returns [`Error::Abandoned`] and the instance is poisoned.
    Abandon,
    /// As `Abandon`, but the foreign call returns this error.
    Error(Error),
    /// Make foreign code run a function of its own in the callback's place, such as libpng's
    /// `png_error`; the instance stays usable.
    Raise(Raise),
}

impl From<Error> for Escape {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A prepared call for [`Escape::Raise`]; generated code makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise {
    entry: usize,
    arguments: usize,
    instance: InstanceId,
}

impl Raise {
    /// Prepares a shim's call. Its frame lies on the host's stack in foreign memory, so it is valid
    /// until the scope or callback that prepares it ends: return it as the answer at once.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the frame does not fit; [`Error::Misuse`] outside a callback.
    pub fn prepare<R: Runtime, A: ?Sized + 'static>(
        base: &mut Base<R, A>,
        shim: u32,
        frame: &[u8],
    ) -> Result<Self> {
        if base.state.domain.session.depth() == 0 {
            return Err(Error::Misuse("raise is for callbacks: there is no foreign call to leave"));
        }
        let entry = base.state.domain.entry(shim)?;
        let arguments = base.state.domain.push_frame(frame)?.get();
        Ok(Self { entry, arguments, instance: base.state.id })
    }
}

/// Runs a typed closure on the frame at `address`. The closure decides what to do if arguments are
/// not valid values of their types.
fn respond<S: Signature, A: Api + ?Sized>(
    api: &mut A,
    address: usize,
    closure: impl FnOnce(&mut A, Received<S>) -> Answer<S>,
) -> KeptResult<Reply> {
    let mut frame = S::Frame::default();
    api.base_mut().state.domain.take_arguments(address, frame.as_mut())?;
    let answer = closure(api, S::arguments(&frame));
    let base = api.base_mut();
    match answer {
        Ok(value) => {
            // The frame still has foreign code's bytes, so the padding of the result contains only
            // these.
            S::put_return(&mut frame, &value);
            let result = S::RETURN_OFFSET..S::RETURN_OFFSET + S::RETURN_SIZE;
            let result = frame.as_ref().get(result).unwrap_or(&[]);
            let place = address.wrapping_add(S::RETURN_OFFSET);
            base.state.domain.hand_back(place, result).map(|()| Reply::Return)
        }
        Err(Escape::Abandon) => Err(base.state.domain.keep(Error::Abandoned)),
        Err(Escape::Error(error)) => Err(base.state.domain.keep(error)),
        Err(Escape::Raise(raise)) => {
            let checked = base.check_instance(raise.instance);
            let reply = Reply::Raise { entry: raise.entry, arguments: raise.arguments };
            base.state.domain.keep_error(checked).map(|()| reply)
        }
    }
}

/// Removes a closure from the table at the end of its borrow (invariant 6).
struct Borrowed<'a, A: Api + ?Sized> {
    api: &'a mut A,
    slot: SlotId,
}

impl<A: Api + ?Sized> Drop for Borrowed<'_, A> {
    fn drop(&mut self) {
        drop(self.api.base_mut().state.slots.remove(self.slot));
    }
}

/// Runs `body` with a function pointer that calls `closure`; needs no allocator.
///
/// If the library passes arguments that are not valid values of their types, `closure` does not
/// run. There is no result to return, so the library cannot continue: the foreign call ends with
/// [`Error::InvalidValue`], and the instance is poisoned. A [fallible
/// callback](with_fallible_callback) gets the error instead, and can answer.
///
/// If foreign code calls it later, that is [`Error::NoSuchCallback`], until its address is reused:
/// without an allocator, after sixteen other closures at the earliest, of whatever type, if the
/// signature has that many [`ADDRESSES`](Signature::ADDRESSES) to spare.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
/// # use omniglot_core::{FnPtr, Result, with_callback};
/// # use omniglot_mock::{Callback as visit_fn, Interface};
/// # fn for_each(library: &mut Interface, _: FnPtr<visit_fn>) -> Result<()> { omniglot_mock::run(library) }
/// # let library = &mut **library;
/// let mut sum = 0;
/// let mut visit = |_: &mut Interface, value: u32| {
///     sum += value;
///     Ok(0)
/// };
/// with_callback::<visit_fn, _, _>(library, &mut visit, |library, visit| for_each(library, visit))??;
/// assert_eq!(sum, 7);
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// [`Error::NoCallbackSlot`] if every slot of the signature is in use;
/// [`Error::Poisoned`] if the instance is unusable.
pub fn with_callback<S: Signature, A: Api + ?Sized, T>(
    api: &mut A,
    closure: &mut dyn FnMut(&mut A, S::Arguments) -> Answer<S>,
    body: impl FnOnce(&mut A, FnPtr<S>) -> T,
) -> Result<T> {
    let mut erased = |api: &mut A, frame: usize| {
        respond::<S, A>(api, frame, |api, arguments| closure(api, arguments?))
    };
    with_erased::<S, A, T>(api, FnPtr::null(), &mut erased, body)
}

/// As [`with_callback`], at the address that an earlier closure had, for a library that keeps
/// it. A null pointer stands for any address.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// # use omniglot_core::{FnPtr, with_callback, with_callback_at};
/// # use omniglot_mock::{Callback as visit_fn, Interface};
/// # let library = &mut **library;
/// let mut visit = |_: &mut Interface, value: u32| Ok(value);
/// // The library keeps the address that it gets here ...
/// let kept = with_callback::<visit_fn, _, _>(library, &mut visit, |_, visit| visit)?;
/// // ... and calls it during a later call.
/// with_callback_at::<visit_fn, _, _>(library, kept, &mut visit, |_, visit| {
///     assert_eq!(visit, kept);
/// })?;
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// As [`with_callback`]; [`Error::NoCallbackSlot`] if another closure has the address now;
/// [`Error::Misuse`] if no closure of the signature can have it.
pub fn with_callback_at<S: Signature, A: Api + ?Sized, T>(
    api: &mut A,
    function: FnPtr<S>,
    closure: &mut dyn FnMut(&mut A, S::Arguments) -> Answer<S>,
    body: impl FnOnce(&mut A, FnPtr<S>) -> T,
) -> Result<T> {
    let mut erased = |api: &mut A, frame: usize| {
        respond::<S, A>(api, frame, |api, arguments| closure(api, arguments?))
    };
    with_erased::<S, A, T>(api, function, &mut erased, body)
}

/// As [`with_callback`], for a closure that decides itself what to do if arguments are not valid
/// values of their types; the instance is not poisoned.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
/// # use omniglot_core::{FnPtr, Received, Result, with_fallible_callback};
/// # use omniglot_mock::{Callback as visit_fn, Interface};
/// # fn for_each(library: &mut Interface, _: FnPtr<visit_fn>) -> Result<()> { omniglot_mock::run(library) }
/// # let library = &mut **library;
/// let mut visit = |_: &mut Interface, value: Received<visit_fn>| Ok(value.unwrap_or(0));
/// with_fallible_callback::<visit_fn, _, _>(library, &mut visit, |library, visit| {
///     for_each(library, visit)
/// })??;
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// As [`with_callback`].
pub fn with_fallible_callback<S: Signature, A: Api + ?Sized, T>(
    api: &mut A,
    closure: &mut dyn FnMut(&mut A, Received<S>) -> Answer<S>,
    body: impl FnOnce(&mut A, FnPtr<S>) -> T,
) -> Result<T> {
    let mut erased = |api: &mut A, frame: usize| respond::<S, A>(api, frame, &mut *closure);
    with_erased::<S, A, T>(api, FnPtr::null(), &mut erased, body)
}

#[allow(unsafe_code)]
fn with_erased<S: Signature, A: Api + ?Sized, T>(
    api: &mut A,
    at: FnPtr<S>,
    erased: &mut Erased<'_, A>,
    body: impl FnOnce(&mut A, FnPtr<S>) -> T,
) -> Result<T> {
    let base = api.base_mut();
    let (index, function) = base.free_slot::<S>(at)?;
    // SAFETY: `erased` outlives the guard below, which removes it (invariant 6).
    let closure = unsafe { Closure::borrowed(erased) };
    let slot = base.occupy::<S>(index, closure)?;
    let guard = Borrowed { api, slot };
    Ok(body(&mut *guard.api, function))
}

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// A free slot of the signature and its trampoline, `at` that address unless it is null.
    fn free_slot<S: Signature>(&mut self, at: FnPtr<S>) -> Result<(u32, FnPtr<S>)> {
        let among = Among { first: S::FIRST_SLOT, count: S::ADDRESSES, limit: S::SLOTS };
        let (index, address) = self.free_slot_among(among, at.addr(), S::NAME)?;
        Ok((index, FnPtr::from_addr(address)))
    }

    #[inline(never)]
    fn free_slot_among(
        &mut self,
        among: Among,
        at: usize,
        signature: &'static str,
    ) -> Result<(u32, usize)> {
        self.run_deferred();
        self.check_usable()?;
        let none = Error::NoCallbackSlot { signature };
        let index = match at {
            0 => self.state.slots.free(among),
            // There are more addresses than closures at a time.
            _ => Some(self.slot_at(among, at)?)
                .filter(|slot| self.state.slots.is_free(*slot))
                .filter(|_| self.state.slots.free(among).is_some()),
        };
        let index = index.ok_or(none)?;
        let address = self.state.domain.session.runtime.trampoline(index).ok_or(none)?;
        Ok((index, address))
    }

    /// The slot whose C function is at an address.
    fn slot_at(&self, among: Among, address: usize) -> Result<u32> {
        const NEVER: Error = Error::Misuse("no callback of this type can have the address");
        let runtime = &self.state.domain.session.runtime;
        let mut slots = among.first..among.first.saturating_add(among.count);
        slots.find(|slot| runtime.trampoline(*slot) == Some(address)).ok_or(NEVER)
    }

    fn occupy<S: Signature>(&mut self, index: u32, closure: Closure<A>) -> Result<SlotId> {
        let none = Error::NoCallbackSlot { signature: S::NAME };
        self.state.slots.insert(index, closure).ok_or(none)
    }
}

/// A registered callback: foreign code may keep its [`function`](Self::function) and
/// call it during any later call, until this handle is dropped.
///
/// A call of the function pointer afterwards is [`Error::NoSuchCallback`]. That does not hold for
/// ever, since the number of C addresses is limited: once [`Signature::SLOTS`] closures of the type
/// were registered after the drop, one may have the address again, and is called.
#[cfg(feature = "alloc")]
#[must_use = "the callback is removed when the handle is dropped"]
pub struct Registered<S: Signature> {
    function: FnPtr<S>,
    slot: SlotId,
    deferred: Arc<crate::queue::Queue<SlotId>>,
    signature: PhantomData<fn() -> S>,
}

#[cfg(feature = "alloc")]
impl<S: Signature> Registered<S> {
    /// The function pointer to hand to the library.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_mock::Callback as price_fn;
    /// let price = library.register::<price_fn>(|_, count| Ok(count * 2))?;
    /// let pointer = price.function(); // what the C function that keeps it gets
    /// assert!(!pointer.is_null());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn function(&self) -> FnPtr<S> {
        self.function
    }
}

#[cfg(feature = "alloc")]
impl<S: Signature> Drop for Registered<S> {
    fn drop(&mut self) {
        self.deferred.push(self.slot);
    }
}

#[cfg(feature = "alloc")]
impl<S: Signature> core::fmt::Debug for Registered<S> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Registered<{}>({:?})", S::NAME, self.function)
    }
}

#[cfg(feature = "alloc")]
impl<R: Runtime, A: Api<Runtime = R> + ?Sized> Base<R, A> {
    /// Registers a closure that foreign code may call at any later call, until the handle is
    /// dropped. It does not run on arguments that are not valid values of their types; see
    /// [`with_callback`] for what happens then, and [`register_fallible`](Self::register_fallible).
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
    /// # use omniglot_mock::{Callback as price_fn, run as change};
    /// let (send, received) = std::sync::mpsc::channel();
    /// let price = library.register::<price_fn>(move |_, count| {
    ///     let _ = send.send(count);
    ///     Ok(count * 2)
    /// })?;
    /// // ... a call that gives `price.function()` to the library, which keeps it
    /// change(library)?; // a later call, during which the library calls the closure
    /// assert_eq!(received.recv(), Ok(7));
    /// drop(price); // from here on the closure is not called
    /// assert!(received.try_recv().is_err());
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::NoCallbackSlot`] if every slot of the signature is in use;
    /// [`Error::Poisoned`] if the instance is unusable.
    pub fn register<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, S::Arguments) -> Answer<S> + Send + 'static,
    ) -> Result<Registered<S>> {
        self.register_fallible::<S>(answer_valid::<S, A>(closure))
    }

    /// As [`register`](Self::register), for a closure that decides itself what to do if arguments
    /// are not valid values of their types: it can return a value that means failure to the
    /// library, and the instance stays usable.
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
    /// # use omniglot_mock::{Callback as price_fn, run as change};
    /// const UNKNOWN: u32 = u32::MAX; // what means failure in C
    /// let price = library.register_fallible::<price_fn>(|_, count| {
    ///     let Ok(count) = count else { return Ok(UNKNOWN) };
    ///     Ok(count * 2)
    /// })?;
    /// change(library)?;
    /// # drop(price);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_fallible<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, Received<S>) -> Answer<S> + Send + 'static,
    ) -> Result<Registered<S>> {
        let (slot, function) = self.own_closure::<S>(closure)?;
        let deferred = Arc::clone(&self.state.deferred);
        Ok(Registered { function, slot, deferred, signature: PhantomData })
    }

    #[allow(unsafe_code)]
    fn own_closure<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, Received<S>) -> Answer<S> + Send + 'static,
    ) -> Result<(SlotId, FnPtr<S>)> {
        // SAFETY: the closure is 'static, so it borrows nothing that ends (invariant 6), and it
        // is `Send` (invariant 7).
        unsafe { self.own_borrowing_closure::<S>(closure) }
    }

    /// Puts an owned closure into a slot.
    ///
    /// # Safety
    /// The caller removes it before anything that it borrows ends, also when unwinding
    /// (invariant 6). While the instance can move to another thread, only `Send` closures are in
    /// the table (invariant 7).
    #[allow(unsafe_code)]
    pub(crate) unsafe fn own_borrowing_closure<'a, S: Signature>(
        &mut self,
        mut closure: impl FnMut(&mut A, Received<S>) -> Answer<S> + 'a,
    ) -> Result<(SlotId, FnPtr<S>)> {
        let (index, function) = self.free_slot::<S>(FnPtr::null())?;
        let erased =
            Box::new(move |api: &mut A, frame: usize| respond::<S, A>(api, frame, &mut closure));
        // SAFETY: the caller removes it in time (invariant 6).
        let closure = unsafe { Closure::owned(erased) };
        Ok((self.occupy::<S>(index, closure)?, function))
    }
}

/// A closure that ends the foreign call if its arguments are not valid values of their types.
#[cfg(feature = "alloc")]
pub(crate) fn answer_valid<S: Signature, A: ?Sized>(
    mut closure: impl FnMut(&mut A, S::Arguments) -> Answer<S>,
) -> impl FnMut(&mut A, Received<S>) -> Answer<S> {
    move |api, arguments| closure(api, arguments?)
}
