//! Foreign objects that the host owns. Their destructors are foreign calls, for which a handle's
//! `Drop` has no instance: they run before the next call.

use alloc::sync::Arc;
use core::fmt;
use core::mem;

use crate::address::{AsPtr, Ptr, Void};
use crate::base::Api;
use crate::call;
use crate::error::{Error, Result};
use crate::identity::InstanceId;
use crate::queue::{Destructor, Queue, put_address};

/// A type of foreign object with a destructor, as generated.
pub trait Object: Sized + 'static {
    /// The type's name in messages.
    const NAME: &'static str;
    /// The destructor's shim. Its one argument is the object's address.
    const DESTRUCTOR: u32;
    /// What the destructor returns; `()` for `void`.
    type Closed;
    /// The destructor's frame; the address is behind the header. At most
    /// [`MAX_DESTRUCTOR_FRAME`](crate::MAX_DESTRUCTOR_FRAME) bytes.
    type Frame: AsRef<[u8]> + AsMut<[u8]> + Default;

    /// Reads what the destructor returned.
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if it is no value of its type.
    fn closed(frame: &Self::Frame) -> Result<Self::Closed>;
}

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
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use core::ffi::c_int;
    /// # use omniglot_core::{Frame, Handle, Object, Ptr, Result};
    /// # enum shop {}
    /// # impl Object for shop {
    /// #     const NAME: &'static str = "shop";
    /// #     const DESTRUCTOR: u32 = 2;
    /// #     type Closed = c_int;
    /// #     type Frame = Frame<24>;
    /// #     fn closed(frame: &Self::Frame) -> Result<c_int> { frame.get(16) }
    /// # }
    /// # let pointer = Ptr::<shop>::from_addr(omniglot_mock::ROOM);
    ///
    /// // C: struct shop *shop_open(void); int shop_close(struct shop *);
    /// // `pointer` came from a function that the build script does not name as a constructor.
    /// let open = Handle::adopt(&**library, pointer)?; // closed when it is dropped
    /// assert!(Handle::adopt(&**library, Ptr::<shop>::null()).is_err());
    /// # drop(open);
    /// # Ok(())
    /// # });
    /// ```
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
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use core::ffi::c_int;
    /// # use omniglot_core::{Frame, Handle, Object, Ptr, Result};
    /// # enum shop {}
    /// # impl Object for shop {
    /// #     const NAME: &'static str = "shop";
    /// #     const DESTRUCTOR: u32 = 2;
    /// #     type Closed = c_int;
    /// #     type Frame = Frame<24>;
    /// #     fn closed(frame: &Self::Frame) -> Result<c_int> { frame.get(16) }
    /// # }
    /// # let pointer = Ptr::<shop>::from_addr(omniglot_mock::ROOM);
    ///
    /// # let open = Handle::adopt(&**library, pointer)?;
    /// // To compare it with addresses that the library passes to a callback.
    /// assert_eq!(open.as_ptr(), pointer);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_ptr(&self) -> Ptr<T> {
        self.pointer
    }

    /// Gives up ownership, for a function that takes it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use core::ffi::c_int;
    /// # use omniglot_core::{Frame, Handle, Object, Ptr, Result};
    /// # enum shop {}
    /// # impl Object for shop {
    /// #     const NAME: &'static str = "shop";
    /// #     const DESTRUCTOR: u32 = 2;
    /// #     type Closed = c_int;
    /// #     type Frame = Frame<24>;
    /// #     fn closed(frame: &Self::Frame) -> Result<c_int> { frame.get(16) }
    /// # }
    /// # let pointer = Ptr::<shop>::from_addr(omniglot_mock::ROOM);
    ///
    /// # let open = Handle::adopt(&**library, pointer)?;
    /// // C: void mall_take(struct shop *shop); closes the shop itself
    /// let given = open.into_ptr();
    /// # assert_eq!(given, pointer);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use = "nobody else destroys the object"]
    pub fn into_ptr(mut self) -> Ptr<T> {
        mem::take(&mut self.pointer)
    }

    /// Destroys the object now, and returns the destructor's result.
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::returns(16, 0_i32), |library| {
    /// # use core::ffi::c_int;
    /// # use omniglot_core::{Frame, Handle, Object, Ptr, Result};
    /// # enum shop {}
    /// # impl Object for shop {
    /// #     const NAME: &'static str = "shop";
    /// #     const DESTRUCTOR: u32 = 2;
    /// #     type Closed = c_int;
    /// #     type Frame = Frame<24>;
    /// #     fn closed(frame: &Self::Frame) -> Result<c_int> { frame.get(16) }
    /// # }
    /// # let pointer = Ptr::<shop>::from_addr(omniglot_mock::ROOM);
    ///
    /// # let open = Handle::adopt(&**library, pointer)?;
    /// // C: int shop_close(struct shop *); returns -1 if something was not written
    /// assert_eq!(open.close(&mut **library)?, 0);
    /// # Ok(())
    /// # });
    /// ```
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
