//! Foreign objects that the host owns. Their destructors are foreign calls, for which a handle's
//! `Drop` has no instance: they run before the next call.

use alloc::sync::Arc;
use core::fmt;
use core::mem;

use crate::address::AsPtr;
use crate::base::InstanceId;
use crate::call::call_now;
use crate::queue::Queue;
use crate::{Api, Base, Error, HEADER_SIZE, Ptr, Result, Runtime, Void, call};

/// A type of foreign object with a destructor, as generated.
pub trait Object: Sized + 'static {
    /// The type's name in messages.
    const NAME: &'static str;
    /// The destructor's shim. Its one argument is the object's address.
    const DESTRUCTOR: u32;
    /// What the destructor returns; `()` for `void`.
    type Closed;
    /// The destructor's frame; the address is behind the header. At most
    /// [`MAX_DESTRUCTOR_FRAME`] bytes.
    type Frame: AsRef<[u8]> + AsMut<[u8]> + Default;

    /// Reads what the destructor returned.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if it is no value of its type.
    fn closed(frame: &Self::Frame) -> Result<Self::Closed>;
}

/// The longest frame of a destructor, in bytes.
pub const MAX_DESTRUCTOR_FRAME: usize = 64;

/// Owns a foreign object: when it is dropped, the object's destructor runs before the next call of
/// the instance, unless the instance is poisoned, was reset or is gone. That call and the
/// destructors before it share one time limit, and an interruption ends them all.
///
/// It can be passed wherever C takes the object's address. It borrows nothing, so it can outlive
/// the instance; then there is nothing left to destroy.
#[must_use = "the object is destroyed when the handle is dropped"]
pub struct Handle<T: Object> {
    pointer: Ptr<T>,
    instance: InstanceId,
    queue: Arc<Queue<Destructor>>,
}

impl<T: Object> Handle<T> {
    /// Takes ownership of an object that the library made. Only the library knows whether there is
    /// one at this address, and whether it has another owner, too.
    ///
    /// # Errors
    /// [`Error::Null`] if the pointer is null.
    pub fn adopt<A: Api + ?Sized>(api: &A, pointer: Ptr<T>) -> Result<Self> {
        if pointer.is_null() {
            return Err(Error::Null { type_name: T::NAME });
        }
        let state = &api.base().state;
        Ok(Self { pointer, instance: state.id, queue: Arc::clone(&state.destructors) })
    }

    /// The object's address.
    #[must_use]
    pub const fn as_ptr(&self) -> Ptr<T> {
        self.pointer
    }

    /// Gives up ownership, for a function that takes it.
    #[must_use = "nobody else destroys the object"]
    pub fn into_ptr(mut self) -> Ptr<T> {
        mem::take(&mut self.pointer)
    }

    /// Destroys the object now, and returns the destructor's result.
    ///
    /// # Errors
    /// [`Error::WrongInstance`] if it belongs to another instance, or to this one before
    /// it was reset; as any call.
    pub fn close<A: Api + ?Sized>(self, api: &mut A) -> Result<T::Closed> {
        api.base().check_instance(self.instance)?;
        let mut frame = T::Frame::default();
        put_address(frame.as_mut(), self.into_ptr().addr());
        call(api, T::DESTRUCTOR, frame.as_mut())?;
        T::closed(&frame)
    }
}

impl<T: Object> Drop for Handle<T> {
    fn drop(&mut self) {
        if !self.pointer.is_null() {
            self.queue.push(Destructor {
                shim: T::DESTRUCTOR,
                frame_size: T::Frame::default().as_ref().len(),
                address: self.pointer.addr(),
                instance: self.instance,
            });
        }
    }
}

impl<T: Object> AsPtr<T> for Handle<T> {
    #[inline]
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
        (self.pointer, Some(self.instance))
    }
}

/// So that it can be passed as `void *`, as checked addresses can.
impl<T: Object> AsPtr<Void> for Handle<T> {
    #[inline]
    fn as_ptr_of(&self) -> (Ptr<Void>, Option<InstanceId>) {
        (self.pointer.cast(), Some(self.instance))
    }
}

impl<T: Object> fmt::Debug for Handle<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Handle<{}>({:#x})", T::NAME, self.pointer.addr())
    }
}

/// A queued destructor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destructor {
    shim: u32,
    frame_size: usize,
    address: usize,
    instance: InstanceId,
}

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
#[cold]
#[inline(never)]
pub(crate) fn call_after_waiting<A: Api + ?Sized>(
    api: &mut A,
    shim: u32,
    frame: &mut [u8],
) -> Result<()> {
    let base = api.base_mut();
    base.state.waits.clear();
    base.run_deferred();
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
struct Operation<'a, A: Api + ?Sized> {
    api: &'a mut A,
}

impl<'a, A: Api + ?Sized> Operation<'a, A> {
    fn begin(api: &'a mut A) -> Self {
        api.base_mut().state.domain.session.begin_operation();
        Self { api }
    }
}

impl<A: Api + ?Sized> Drop for Operation<'_, A> {
    fn drop(&mut self) {
        self.api.base_mut().state.domain.session.end_operation();
    }
}

#[cold]
fn destroy<A: Api + ?Sized>(api: &mut A, destructor: Destructor) {
    let mut room = [0; MAX_DESTRUCTOR_FRAME];
    if let Some(frame) = room.get_mut(..destructor.frame_size) {
        put_address(frame, destructor.address);
        let _ = call_now(api, destructor.shim, frame);
    }
}

fn put_address(frame: &mut [u8], address: usize) {
    crate::encode_field(&address, frame, HEADER_SIZE);
}
