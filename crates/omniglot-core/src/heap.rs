//! The library's own heap: memory that C will free, or that C allocated.

use crate::address::{Ptr, SliceMut, Void, size_of_elements};
use crate::base::Api;
use crate::call;
use crate::error::{Error, Result};
use crate::foreign::Foreign;
use crate::frame::{Frame, HEADER_SIZE};

/// Shim 0: `void *malloc(size_t)`.
const SHIM_MALLOC: u32 = 0;
/// Shim 1: `void free(void *)`.
const SHIM_FREE: u32 = 1;
/// The second value in both frames.
const RESULT: usize = HEADER_SIZE + size_of::<usize>().next_multiple_of(align_of::<usize>());
/// Header and two words.
const FRAME_SIZE: usize = RESULT + size_of::<usize>();

/// Memory for `len` elements from the library's `malloc`.
///
/// ```
/// # omniglot_mock::example(omniglot_mock::returns(16, omniglot_mock::ROOM), |library| {
/// use omniglot_core::{free, malloc};
///
/// # let library = &mut **library;
/// let text = malloc::<u8, _>(library, 6)?; // for a function that frees what it gets
/// library.write_slice(text, b"hello\0")?;
/// free(library, text)?; // or do it yourself
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// [`Error::OutOfMemory`] if it gives none; [`Error::OutOfRange`] if what it gives
/// is not in the domain; as any call.
pub fn malloc<T: Foreign, A: Api + ?Sized>(api: &mut A, len: usize) -> Result<SliceMut<T>> {
    let size = size_of_elements::<T>(len)?;
    let mut frame = Frame::<FRAME_SIZE>::new();
    frame.put(HEADER_SIZE, &size);
    call(api, SHIM_MALLOC, frame.bytes_mut())?;
    let pointer: Ptr<T> = frame.get(RESULT)?;
    if pointer.is_null() {
        return Err(Error::OutOfMemory { requested: size });
    }
    api.base().upgrade_slice_mut(pointer, len)
}

/// Frees memory with the library's `free`.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::{Ptr, free};
///
/// # let library = &mut **library;
/// # let returned = Ptr::<u8>::from_addr(omniglot_mock::ROOM);
/// // C: char *describe(void); the caller frees the result
/// let text = library.read_string(returned.cast(), 256)?;
/// free(library, returned.cast())?;
/// # assert_eq!(text, "");
/// # Ok(())
/// # });
/// ```
///
/// # Errors
/// As any call; a pointer that is not from `malloc` corrupts the library's heap, or makes it fault.
pub fn free<A: Api + ?Sized>(api: &mut A, pointer: impl crate::address::AsPtr<Void>) -> Result<()> {
    let pointer = api.base().address(pointer)?;
    let mut frame = Frame::<FRAME_SIZE>::new();
    frame.put(HEADER_SIZE, &pointer);
    call(api, SHIM_FREE, frame.bytes_mut())
}
