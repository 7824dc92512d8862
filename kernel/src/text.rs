//! Text in a buffer: what would be a `String` where there is an allocator.

use core::fmt;

/// Up to `N` bytes of text; what does not fit is left out.
#[derive(Clone, Copy, Debug)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or(&[]);
        // Whole characters only are put in, so this is all of it.
        core::str::from_utf8(bytes).unwrap_or("")
    }

    /// Adds a character, if there is room.
    pub fn push(&mut self, character: char) -> bool {
        let mut encoded = [0; 4];
        let encoded = character.encode_utf8(&mut encoded).as_bytes();
        let Some(room) = self.bytes.get_mut(self.len..self.len + encoded.len()) else {
            return false;
        };
        room.copy_from_slice(encoded);
        self.len += encoded.len();
        true
    }

    /// Takes the last character away.
    pub fn pop(&mut self) -> Option<char> {
        let last = self.as_str().chars().next_back()?;
        self.len -= last.len_utf8();
        Some(last)
    }

    /// Takes all of it away.
    pub const fn clear(&mut self) {
        self.len = 0;
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if !self.push(character) {
                break;
            }
        }
        Ok(())
    }
}
