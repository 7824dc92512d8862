//! C strings out of foreign memory, and checks on those that go in.

#[cfg(feature = "alloc")]
use alloc::string::String;
use core::ffi::{CStr, c_char};

use crate::address::{Ptr, ToSlice};
use crate::base::Base;
use crate::checks;
use crate::error::{Error, Result};
use crate::runtime::Runtime;
use crate::view::View;

/// How much is copied at a time to look for the NUL.
const CHUNK: usize = 256;

/// Checks that a string for C has no NUL in it.
pub(crate) fn check_no_nul(text: &str) -> Result<()> {
    match text.bytes().position(|byte| byte == 0) {
        Some(position) => Err(Error::InteriorNul { position }),
        None => Ok(()),
    }
}

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// The C string at `pointer`, if it ends within `max` bytes, the NUL included.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let text = library.alloc_str("caf\u{e9}")?;
    /// # let pointer = text.as_slice().as_ptr();
    /// let text = library.read_cstr(pointer, 64)?; // need not be UTF-8
    /// assert_eq!(text.to_bytes().len(), 5);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::Unterminated`] if it does not; [`Error::OutOfRange`] if the pointer
    /// or all up to the end of the domain's memory is not in it.
    pub fn read_cstr(&self, pointer: Ptr<c_char>, max: usize) -> Result<View<'_, CStr>> {
        self.state.domain.session.runtime.check_alive()?;
        let address = pointer.addr();
        let unterminated = Error::Unterminated { address, max };
        let size = self.find_nul(address, max)?.ok_or(unterminated)?;
        let bytes = View::<[u8]>::validate(&self.state.domain.session.runtime, address, size, 1)?;
        // The copy is searched again: the memory may have changed since the first search.
        bytes.and_then(View::into_c_str).ok_or(unterminated)
    }

    /// The UTF-8 string at `pointer`, if it ends within `max` bytes, the NUL included.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let text = library.alloc_str("some text")?;
    /// # let pointer = text.as_slice().as_ptr();
    /// assert_eq!(&*library.read_str(pointer, 64)?, "some text");
    /// assert!(library.read_str(pointer, 4).is_err()); // does not end within 4 bytes
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidUtf8`]; as [`read_cstr`](Self::read_cstr).
    pub fn read_str(&self, pointer: Ptr<c_char>, max: usize) -> Result<View<'_, str>> {
        let text = self.read_cstr(pointer, max)?;
        text.try_map(checks::c_str_as_text).map_err(|error| Error::InvalidUtf8 {
            address: pointer.addr(),
            valid_up_to: error.valid_up_to(),
        })
    }

    /// The UTF-8 text of known length in `from`, which may have NULs in it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let room = library.alloc_slice(b"some text????")?;
    /// # let room = room.as_slice();
    /// let len = 9; // from the library, as is the text
    /// let text = room.range(0, len).ok_or(omniglot_core::Error::OutOfRange { address: 0, len })?;
    /// assert_eq!(&*library.view_str(text)?, "some text");
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidUtf8`]; as [`view_slice`](Self::view_slice).
    pub fn view_str(&self, from: impl ToSlice<u8>) -> Result<View<'_, str>> {
        let bytes = from.convert();
        self.view_slice(bytes)?.try_map(checks::as_text).map_err(|error| Error::InvalidUtf8 {
            address: bytes.address,
            valid_up_to: error.valid_up_to(),
        })
    }

    /// A copy of the UTF-8 string at `pointer`, if it ends within `max` bytes, the NUL included.
    /// It borrows nothing, so foreign calls can follow.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let text = library.alloc_str("some text")?;
    /// # let pointer = text.as_slice().as_ptr();
    /// let name: String = library.read_string(pointer, 256)?;
    /// // ... calls, which a view would not outlive
    /// assert_eq!(name, "some text");
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`read_str`](Self::read_str); [`Error::HostOutOfMemory`].
    #[cfg(feature = "alloc")]
    pub fn read_string(&self, pointer: Ptr<c_char>, max: usize) -> Result<String> {
        let text = self.read_str(pointer, max)?;
        let mut copy = String::new();
        let full = |_| Error::HostOutOfMemory { requested: text.len() };
        copy.try_reserve_exact(text.len()).map_err(full)?;
        copy.push_str(&text);
        Ok(copy)
    }

    /// How many bytes there are up to and with the first NUL.
    fn find_nul(&self, address: usize, max: usize) -> Result<Option<usize>> {
        let window = self.runtime_window();
        window.check(address, 1.min(max))?;
        let max = max.min(window.len() - (address - window.start()));
        let mut chunk = [0; CHUNK];
        let mut searched = 0;
        while searched < max {
            let part = chunk.get_mut(..CHUNK.min(max - searched)).unwrap_or(&mut []);
            window.read(address + searched, part)?;
            if let Some(position) = part.iter().position(|byte| *byte == 0) {
                return Ok(Some(searched + position + 1));
            }
            searched += part.len();
        }
        Ok(None)
    }
}
