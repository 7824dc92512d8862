//! Scopes: temporary foreign memory and borrowing callbacks, freed at the end.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

#[cfg(feature = "alloc")]
use crate::address::FnPtr;
use crate::address::{Ptr, RefMut, SliceMut};
use crate::base::Api;
#[cfg(feature = "alloc")]
use crate::callback::answer_valid;
#[cfg(feature = "alloc")]
use crate::callback::{Answer, Received, Signature};
use crate::error::{Error, Result};
use crate::foreign::{Foreign, bytes_of};
use crate::runtime::Runtime;
#[cfg(feature = "alloc")]
use crate::slots::SlotId;
use crate::stack::Mark;

/// An instance, borrowed for a while, with temporary memory of the library's.
///
/// Derefs to the library's interface, so everything can be called through it. The addresses that it
/// returns are in the domain's memory, so keeping them after the scope is safe: a checked reference
/// is then [`Error::Stale`] (with the feature `alloc`), and what an unchecked pointer leads to may
/// be anything.
pub struct Scope<'scope, 'env, A: Api + ?Sized> {
    api: &'scope mut A,
    mark: Mark,
    #[cfg(feature = "alloc")]
    number: u64,
    #[cfg(feature = "alloc")]
    callbacks: Vec<SlotId>,
    environment: PhantomData<&'env mut &'env ()>,
}

/// Runs `body` in a scope.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::{Error, scope};
///
/// # let library = &mut **library;
/// let mut kept = None;
/// let sum = scope(library, |library| {
///     let numbers = library.copy_in(&[1_u32, 2, 3])?;
///     kept = Some(numbers);
///     // ... a call that gets `numbers`
///     Ok(library.view_slice(numbers)?.iter().sum::<u32>())
/// })?;
/// assert_eq!(sum, 6);
/// // The memory went with the scope.
/// assert_eq!(library.view_slice(kept.expect("it ran")).map(drop), Err(Error::Stale));
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// What `body` returns; [`Error::Poisoned`](crate::Error::Poisoned) if the instance is unusable.
pub fn scope<'env, A: Api + ?Sized, T>(
    api: &mut A,
    body: impl for<'scope> FnOnce(&mut Scope<'scope, 'env, A>) -> Result<T>,
) -> Result<T> {
    try_scope(api, body)
}

/// As [`scope`], for a body with errors of its own.
///
/// ```
/// # use omniglot_core::{Api, Error, try_scope};
/// #[derive(Debug)]
/// enum Failure {
///     Library(Error),
///     NoNumber(std::num::ParseIntError),
/// }
/// # impl From<Error> for Failure { fn from(error: Error) -> Self { Self::Library(error) } }
/// # impl From<std::num::ParseIntError> for Failure {
/// #     fn from(error: std::num::ParseIntError) -> Self { Self::NoNumber(error) }
/// # }
/// // Both have a `From`.
///
/// fn put<A: Api + ?Sized>(library: &mut A, text: &str) -> Result<(), Failure> {
///     try_scope(library, |scope| {
///         let number: u32 = text.parse()?; // an error of the program's
///         let place = scope.value(number)?; // one of the library's
/// #       let _ = place;
///         Ok(())
///     })
/// }
/// # omniglot_mock::example([], |library| {
/// assert!(put(&mut **library, "7").is_ok());
/// assert!(matches!(put(&mut **library, "x"), Err(Failure::NoNumber(_))));
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// As [`scope`].
pub fn try_scope<'env, A: Api + ?Sized, T, E: From<Error>>(
    api: &mut A,
    body: impl for<'scope> FnOnce(&mut Scope<'scope, 'env, A>) -> Result<T, E>,
) -> Result<T, E> {
    api.base_mut().run_deferred();
    api.base().check_usable()?;
    let mark = api.base().state.domain.frames.mark();
    #[cfg(feature = "alloc")]
    let number = api.base_mut().state.scopes.begin();
    let mut scope = Scope {
        api,
        mark,
        #[cfg(feature = "alloc")]
        number,
        #[cfg(feature = "alloc")]
        callbacks: Vec::new(),
        environment: PhantomData,
    };
    body(&mut scope)
}

impl<'env, A: Api + ?Sized> Scope<'_, 'env, A> {
    /// Copies elements into temporary foreign memory.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let numbers = library.copy_in(&[1_u32, 2, 3])?;
    ///     // ... a call that changes them
    ///     assert_eq!(&*library.view_slice(numbers)?, [1, 2, 3]); // what is there now
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if they do not fit.
    pub fn copy_in<T: Foreign>(&mut self, elements: &[T]) -> Result<SliceMut<T>> {
        let slice = self.reserve::<T>(elements.len())?;
        match bytes_of(elements) {
            Some(bytes) => self.api.base().runtime_window().copy_in(slice.address, bytes)?,
            None => self.api.base_mut().write_slice(slice, elements)?,
        }
        Ok(slice)
    }

    /// Zeroed temporary foreign memory for `len` elements. Zeros need not be a
    /// valid `T`; reading validates.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let room = library.zeroed::<u8>(64)?;
    ///     // ... a call that writes a string there
    ///     assert_eq!(library.read_string(room.as_ptr().cast(), room.len())?, "");
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if they do not fit.
    pub fn zeroed<T: Foreign>(&mut self, len: usize) -> Result<SliceMut<T>> {
        let slice = self.reserve::<T>(len)?;
        let window = self.api.base().runtime_window();
        window.zero(slice.address, len * size_of::<T>())?;
        Ok(slice)
    }

    /// Copies one value into temporary foreign memory.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let len = library.value(64_u64)?; // in: how much room there is
    ///     // ... a call that stores how much it used
    ///     assert!(library.read(len)? <= 64);
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if it does not fit.
    pub fn value<T: Foreign>(&mut self, value: T) -> Result<RefMut<T>> {
        let slice = self.reserve::<T>(1)?;
        let reference = RefMut::checked(slice.address, slice.instance);
        self.api.base_mut().write(reference, value)?;
        Ok(reference)
    }

    /// Zeroed temporary foreign memory for one value that the library is to write: an
    /// out-parameter. Zeros need not be a valid `T`; reading validates.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{AsPtr, Result};
    /// # use omniglot_mock::Interface;
    /// # fn size_of_file(_: &mut Interface, _: impl AsPtr<u64>) -> Result<i32> { Ok(0) }
    /// let size = library.scope(|library| {
    ///     let size = library.out::<u64>()?;
    ///     size_of_file(library, size)?; // C: int size_of_file(uint64_t *size)
    ///     library.read(size)
    /// })?;
    /// assert_eq!(size, 0);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if it does not fit.
    pub fn out<T: Foreign>(&mut self) -> Result<RefMut<T>> {
        let slice = self.zeroed::<T>(1)?;
        Ok(RefMut::checked(slice.address, slice.instance))
    }

    /// Copies a C string into temporary foreign memory.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let path = library.c_str(c"/tmp/\xff")?; // need not be UTF-8
    ///     // ... a call that gets `path`
    ///     assert_eq!(&*library.read_cstr(path, 64)?, c"/tmp/\xff");
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if it does not fit.
    pub fn c_str(&mut self, text: &CStr) -> Result<Ptr<c_char>> {
        Ok(self.copy_in(text.to_bytes_with_nul())?.as_ptr().cast())
    }

    /// Copies a string and a NUL into temporary foreign memory.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let name = library.str("bolt")?;
    ///     // ... a call that gets `name`
    ///     assert_eq!(&*library.read_str(name, 64)?, "bolt");
    ///     assert!(library.str("bo\0lt").is_err()); // C would see the end there
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InteriorNul`](crate::Error::InteriorNul) if it has a NUL;
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if it does not fit.
    pub fn str(&mut self, text: &str) -> Result<Ptr<c_char>> {
        crate::strings::check_no_nul(text)?;
        let slice = self.reserve::<u8>(text.len() + 1)?;
        let window = self.api.base().runtime_window();
        window.copy_in(slice.address, text.as_bytes())?;
        window.copy_in(slice.address + text.len(), &[0])?;
        Ok(slice.as_ptr().cast())
    }

    /// Temporary foreign memory for `len` elements, uninitialised: it holds what the library or the
    /// host left there. For memory that the library is to write; [`zeroed`](Self::zeroed) takes
    /// some time for each byte.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let pixels = library.reserve::<u32>(1 << 10)?;
    ///     // ... a call that decodes an image into `pixels`, and says how many it wrote
    ///     let written = pixels.range(0, 0).expect("none fit in any case");
    ///     assert!(library.view_slice(written)?.is_empty());
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) if they do not fit.
    pub fn reserve<T: Foreign>(&mut self, len: usize) -> Result<SliceMut<T>> {
        let size = crate::address::size_of_elements::<T>(len)?;
        let state = &mut self.api.base_mut().state;
        // The body of the scope may have forked.
        state.domain.session.runtime.check_alive()?;
        let address = state.domain.frames.push(size, align_of::<T>())?;
        #[cfg(feature = "alloc")]
        let id = state.id.in_scope(self.number);
        #[cfg(not(feature = "alloc"))]
        let id = state.id;
        Ok(SliceMut::checked(address, len, id))
    }
}

#[cfg(feature = "alloc")]
impl<'env, A: Api + ?Sized> Scope<'_, 'env, A> {
    /// A function pointer that calls `closure`, which may borrow what outlives the scope; it is
    /// removed at the scope's end. It does not run on arguments that are not valid values of their
    /// types; see [`with_callback`](crate::with_callback) for what happens then.
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
    /// # use omniglot_core::{FnPtr, Result};
    /// # use omniglot_mock::{Callback as visit_fn, Interface};
    /// # fn for_each(library: &mut Interface, _: FnPtr<visit_fn>) -> Result<()> { omniglot_mock::run(library) }
    /// // C: typedef uint32_t visit_fn(uint32_t value); void for_each(visit_fn *visit);
    /// let mut seen = Vec::new();
    /// library.scope(|library| {
    ///     let visit = library.callback::<visit_fn>(|_, value| {
    ///         seen.push(value); // it may borrow
    ///         Ok(0)
    ///     })?;
    ///     for_each(library, visit)
    /// })?;
    /// assert_eq!(seen, [7]);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::NoCallbackSlot`](crate::Error::NoCallbackSlot) if every slot of the
    /// signature is in use.
    pub fn callback<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, S::Arguments) -> Answer<S> + 'env,
    ) -> Result<FnPtr<S>> {
        self.fallible_callback::<S>(answer_valid::<S, A>(closure))
    }

    /// As [`callback`](Self::callback), for a closure that decides itself what to do if arguments
    /// are not valid values of their types.
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::calls_back(1, 7), |library| {
    /// # use omniglot_core::{FnPtr, Result};
    /// # use omniglot_mock::{Callback as visit_fn, Interface};
    /// # fn for_each(library: &mut Interface, _: FnPtr<visit_fn>) -> Result<()> { omniglot_mock::run(library) }
    /// const SKIP: u32 = 1; // what the library takes for "go on with the next one"
    /// library.scope(|library| {
    ///     let visit = library.fallible_callback::<visit_fn>(|_, value| match value {
    ///         Ok(value) => Ok(value % 2),
    ///         Err(_) => Ok(SKIP), // the library passed what is no value of the type
    ///     })?;
    ///     for_each(library, visit)
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`callback`](Self::callback).
    #[allow(unsafe_code)]
    pub fn fallible_callback<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, Received<S>) -> Answer<S> + 'env,
    ) -> Result<FnPtr<S>> {
        // First, so that nothing can fail between putting the closure into the table and
        // remembering it.
        self.callbacks.reserve(1);
        let base = self.api.base_mut();
        // SAFETY: the scope's Drop removes the closure before 'env ends, and nobody can
        // forget a scope: users only get a `&mut` to it (invariants 6, 7).
        let (slot, function) = unsafe { base.own_borrowing_closure::<S>(closure) }?;
        self.callbacks.push(slot);
        Ok(function)
    }
}

impl<A: Api + ?Sized> Drop for Scope<'_, '_, A> {
    fn drop(&mut self) {
        let state = &mut self.api.base_mut().state;
        state.domain.frames.release(self.mark);
        #[cfg(feature = "alloc")]
        {
            state.scopes.end(self.number);
            // All are removed before any is dropped: dropping a closure may panic.
            let removed = self.callbacks.drain(..).map(|slot| state.slots.remove(slot));
            drop(removed.collect::<Vec<_>>());
        }
    }
}

impl<A: Api + ?Sized> Deref for Scope<'_, '_, A> {
    type Target = A;
    fn deref(&self) -> &A {
        self.api
    }
}

impl<A: Api + ?Sized> DerefMut for Scope<'_, '_, A> {
    fn deref_mut(&mut self) -> &mut A {
        self.api
    }
}

impl<A: Api + ?Sized> core::fmt::Debug for Scope<'_, '_, A> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Scope").field("base", &self.api.base()).finish_non_exhaustive()
    }
}
