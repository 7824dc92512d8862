//! Validated values in, or copied from, foreign memory.
#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
use alloc::alloc::{Layout, alloc, dealloc};
use core::ffi::CStr;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::checks::{self, Shape};
use crate::error::{Error, Result};
use crate::foreign::{Foreign, MAX_BY_VALUE, TOO_LARGE};
use crate::memory::Window;
use crate::runtime::Runtime;

/// A validated value, borrowed from an instance.
///
/// It borrows the instance, so that no foreign code can run while it lives. If foreign memory can
/// change at other times, too, it owns a copy; either way, access is one load.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// # let pair = library.alloc([3_u32, 4])?;
/// let view = library.view(&pair)?; // derefs to the value
/// assert_eq!(view[1], 4);
/// let kept = *view; // a copy, for the time after the next call
/// # drop(view);
/// library.write(&pair, [5, 6])?; // would not compile if `view` were used below
/// assert_eq!(kept, [3, 4]);
/// # Ok(())
/// # });
/// ```
pub struct View<'a, T: ?Sized> {
    value: NonNull<T>,
    #[cfg(feature = "alloc")]
    copy: Option<Copied>,
    borrow: PhantomData<&'a T>,
}

// SAFETY: a view gives shared references to a `T` only: one that borrows the instance
// (invariant 3), or one of a copy that it owns (invariant 9), whose `T` cannot be moved out.
unsafe impl<T: ?Sized + Sync> Send for View<'_, T> {}
// SAFETY: as for Send (invariants 3, 9).
unsafe impl<T: ?Sized + Sync> Sync for View<'_, T> {}

impl<'a, T: ?Sized> View<'a, T> {
    /// Validates `size` bytes at `address`, in place or in a copy. `None` if they are not a valid
    /// `T`.
    pub(crate) fn validate(
        runtime: &'a impl Runtime,
        address: usize,
        size: usize,
        align: usize,
    ) -> Result<Option<Self>>
    where
        T: Shape,
    {
        let Some(bytes) = bytes_in_place(runtime, address, size)? else {
            return Self::validate_copy(runtime.window(), address, size, align);
        };
        Ok(checks::valid::<T>(bytes).map(|value| Self::in_place(NonNull::from(value))))
    }

    #[cfg(feature = "alloc")]
    fn validate_copy(
        window: &Window,
        address: usize,
        size: usize,
        align: usize,
    ) -> Result<Option<Self>>
    where
        T: Shape,
    {
        let copy = Copied::read(window, address, size, align)?;
        let Some(value) = checks::valid::<T>(copy.bytes()) else {
            return Ok(None);
        };
        let value = NonNull::from(value);
        Ok(Some(Self { value, copy: Some(copy), borrow: PhantomData }))
    }

    #[cfg(not(feature = "alloc"))]
    fn validate_copy(_: &Window, _: usize, _: usize, _: usize) -> Result<Option<Self>> {
        Err(NO_ROOM)
    }
}

impl<'a, T: Foreign> View<'a, [T]> {
    /// The same for elements: types of which any bits are valid need no check.
    pub(crate) fn validate_slice(
        runtime: &'a impl Runtime,
        address: usize,
        size: usize,
    ) -> Result<Option<Self>> {
        let bytes = bytes_in_place(runtime, address, size)?;
        if let Some(elements) = bytes.and_then(T::slice_of) {
            return Ok(Some(Self::in_place(NonNull::from(elements))));
        }
        Self::validate(runtime, address, size, align_of::<T>())
    }
}

/// Foreign bytes, for a view of an instance that is borrowed as long; `None` if foreign code may
/// write them meanwhile.
fn bytes_in_place(runtime: &impl Runtime, address: usize, size: usize) -> Result<Option<&[u8]>> {
    if runtime.is_concurrent() {
        return Ok(None);
    }
    let start = runtime.window().locate(address, size)?;
    // SAFETY: the range is in the window (invariants 1, 2); nobody writes it while the
    // instance, and the runtime with it, is borrowed (invariant 3).
    let bytes = unsafe { core::slice::from_raw_parts(start.as_ptr(), size) };
    #[cfg(omniglot_faults)]
    let bytes = changed(bytes)?;
    Ok(Some(bytes))
}

/// The bytes, or changed ones that are leaked: there may be views already that no injected fault
/// may change.
#[cfg(omniglot_faults)]
fn changed(bytes: &[u8]) -> Result<&[u8]> {
    const ALIGN: usize = 4096;
    let from = bytes.as_ptr();
    let write = |into: *mut u8| {
        // SAFETY: as many bytes as there is fresh room for (invariant 9).
        unsafe { into.copy_from_nonoverlapping(from, bytes.len()) };
        Ok(())
    };
    // SAFETY: all bytes are written (invariant 9).
    let mut copy = unsafe { Copied::filled(bytes.len(), ALIGN, write) }?;
    crate::faults::bytes(copy.bytes_mut());
    let is_same = copy.bytes() == bytes;
    Ok(if is_same { bytes } else { alloc::boxed::Box::leak(alloc::boxed::Box::new(copy)).bytes() })
}

impl<'a, T: ?Sized> View<'a, T> {
    pub(crate) const fn in_place(value: NonNull<T>) -> Self {
        Self {
            value,
            #[cfg(feature = "alloc")]
            copy: None,
            borrow: PhantomData,
        }
    }

    /// The view of a part, or of the same bytes as another type.
    pub(crate) fn try_map<U: ?Sized, E>(
        self,
        map: impl FnOnce(&T) -> core::result::Result<&U, E>,
    ) -> core::result::Result<View<'a, U>, E> {
        let value = NonNull::from(map(&self)?);
        Ok(View {
            value,
            #[cfg(feature = "alloc")]
            copy: self.copy,
            borrow: PhantomData,
        })
    }
}

impl<T: ?Sized> Deref for View<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: made from a reference that lives as long as the borrow or the copy,
        // and validated (invariants 3, 4, 5, 9).
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for View<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for View<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, out)
    }
}

impl<T: ?Sized> AsRef<T> for View<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<'a> View<'a, [u8]> {
    /// The C string that the bytes start with; `None` without a NUL.
    pub(crate) fn into_c_str(self) -> Option<View<'a, CStr>> {
        self.try_map(CStr::from_bytes_until_nul).ok()
    }
}

/// Bytes on the heap, aligned for the type that they become.
#[cfg(feature = "alloc")]
struct Copied {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes (invariant 9).
#[cfg(feature = "alloc")]
unsafe impl Send for Copied {}
// SAFETY: shared access only reads what it owns (invariant 9).
#[cfg(feature = "alloc")]
unsafe impl Sync for Copied {}

#[cfg(feature = "alloc")]
impl Copied {
    /// Bytes, all of which `fill` writes.
    ///
    /// # Safety
    /// If `fill` succeeds, it has written as many bytes as it was given.
    unsafe fn filled(
        size: usize,
        align: usize,
        fill: impl FnOnce(*mut u8) -> Result<()>,
    ) -> Result<Self> {
        let too_large = Error::TooLarge { elements: size };
        let layout = Layout::from_size_align(size, align).map_err(|_| too_large)?;
        if size == 0 {
            return Ok(Self { start: layout.dangling_ptr(), layout });
        }
        // SAFETY: the layout's size is not 0; it is kept with the bytes (invariant 9).
        let start = NonNull::new(unsafe { alloc(layout) });
        let start = start.ok_or(Error::HostOutOfMemory { requested: size })?;
        let copy = Self { start, layout };
        fill(start.as_ptr())?;
        Ok(copy)
    }

    /// A copy of foreign bytes.
    fn read(window: &Window, address: usize, size: usize, align: usize) -> Result<Self> {
        // An address outside the window is no reason to allocate.
        window.check(address, size)?;
        // SAFETY: `into` is fresh memory of the host, of `size` bytes (invariant 9).
        let read = |into| unsafe { window.read_to(address, into, size) };
        // SAFETY: where reading succeeds it writes all `size` bytes (invariants 8, 9).
        let mut copy = unsafe { Self::filled(size, align, read) }?;
        crate::faults::bytes(copy.bytes_mut());
        Ok(copy)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `size` initialised bytes, owned by self (invariant 9).
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed by `&mut` (invariant 9).
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

#[cfg(feature = "alloc")]
impl Drop for Copied {
    fn drop(&mut self) {
        if self.layout.size() != 0 {
            // SAFETY: allocated with this layout, and not used after this (invariant 9).
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}

/// Lets `fill` write `len` foreign bytes, in place or in a copy.
pub(crate) fn fill<T>(
    runtime: &mut impl Runtime,
    address: usize,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> T,
) -> Result<T> {
    if runtime.is_concurrent() {
        return fill_copy(runtime, address, len, fill);
    }
    let start = runtime.window().locate(address, len)?;
    // SAFETY: the range is in the window (invariants 1, 2), and any bits are bytes. Nobody else
    // reads or writes it while the instance is borrowed by `&mut` (invariant 3).
    Ok(fill(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), len) }))
}

#[cfg(feature = "alloc")]
fn fill_copy<T>(
    runtime: &impl Runtime,
    address: usize,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> T,
) -> Result<T> {
    let mut copy = Copied::read(runtime.window(), address, len, 1)?;
    let value = fill(copy.bytes_mut());
    // The closure may have forked.
    runtime.check_alive()?;
    runtime.window().copy_in(address, copy.bytes())?;
    Ok(value)
}

#[cfg(not(feature = "alloc"))]
fn fill_copy<T>(_: &impl Runtime, _: usize, _: usize, _: impl FnOnce(&mut [u8]) -> T) -> Result<T> {
    Err(Error::Unsupported {
        what: "filling memory that somebody else may write, without an allocator",
        remedy: "enable the feature alloc, or use write_slice",
    })
}

/// Lets `look` read foreign bytes, in place or in a copy that is aligned as requested.
pub(crate) fn look_at<T>(
    runtime: &impl Runtime,
    address: usize,
    size: usize,
    align: usize,
    look: impl FnOnce(&[u8]) -> T,
) -> Result<T> {
    match bytes_in_place(runtime, address, size)? {
        Some(bytes) => Ok(look(bytes)),
        None => look_at_copy(runtime.window(), address, size, align, look),
    }
}

#[cfg(feature = "alloc")]
fn look_at_copy<T>(
    window: &Window,
    address: usize,
    size: usize,
    align: usize,
    look: impl FnOnce(&[u8]) -> T,
) -> Result<T> {
    let copy = Copied::read(window, address, size, align)?;
    Ok(look(copy.bytes()))
}

#[cfg(not(feature = "alloc"))]
fn look_at_copy<T>(
    _: &Window,
    _: usize,
    _: usize,
    _: usize,
    _: impl FnOnce(&[u8]) -> T,
) -> Result<T> {
    Err(NO_ROOM)
}

#[cfg(not(feature = "alloc"))]
const NO_ROOM: Error = Error::Unsupported {
    what: "views of memory that somebody else may write, without an allocator",
    remedy: "enable the feature alloc, or use read",
};

/// Reads and validates the `T` at `address`, by value.
#[inline]
pub(crate) fn read_value<T: Foreign>(window: &Window, address: usize) -> Result<T> {
    const { assert!(size_of::<T>() <= MAX_BY_VALUE, "{}", TOO_LARGE) };
    let mut storage = MaybeUninit::<T>::uninit();
    let start = storage.as_mut_ptr().cast::<u8>();
    // SAFETY: the storage is this function's, and as large as a `T` (invariant 9).
    unsafe { start.write_bytes(0, size_of::<T>()) };
    // SAFETY: all bytes, padding too, were just initialised in place, and the storage is
    // not moved or written through another path while the slice lives (invariant 9).
    let bytes = unsafe { core::slice::from_raw_parts_mut(start, size_of::<T>()) };
    window.read(address, bytes)?;
    match checks::valid::<T>(bytes) {
        Some(value) => Ok(*value),
        None => Err(T::explain(bytes).into()),
    }
}

/// A copy of foreign bytes that are not yet validated.
#[cfg(feature = "alloc")]
pub struct Unvalidated<T> {
    copy: Copied,
    content: PhantomData<fn() -> T>,
}

#[cfg(feature = "alloc")]
impl<T: Foreign> Unvalidated<T> {
    /// Copies the bytes at `address`.
    pub(crate) fn read(window: &Window, address: usize) -> Result<Self> {
        let copy = Copied::read(window, address, size_of::<T>(), align_of::<T>())?;
        Ok(Self { copy, content: PhantomData })
    }

    /// The bytes.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let number = library.alloc(0x0102_u16)?;
    /// let copy = library.copy_unvalidated(&number)?;
    /// assert_eq!(copy.as_bytes(), 0x0102_u16.to_ne_bytes());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.copy.bytes()
    }

    /// The value, if the bytes are one.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let number = library.alloc(1_u8)?;
    /// # let flag = library.upgrade(number.as_ref().as_ptr().cast::<bool>())?;
    /// let copy = library.copy_unvalidated(flag)?;
    /// assert_eq!(copy.validate(), Ok(true)); // later, without the instance
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidValue`] if they are not; the bytes remain.
    pub fn validate(&self) -> Result<T> {
        const { assert!(size_of::<T>() <= MAX_BY_VALUE, "{}", TOO_LARGE) };
        match checks::valid::<T>(self.as_bytes()) {
            Some(value) => Ok(*value),
            None => Err(T::explain(self.as_bytes()).into()),
        }
    }
}

#[cfg(feature = "alloc")]
impl<T: Foreign> fmt::Debug for Unvalidated<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Unvalidated<{}>({:?})", T::NAME, self.as_bytes())
    }
}
