//! Text in a fixed buffer, in place of `String`, which needs an allocator.

use core::fmt;

/// Up to `N` bytes of text. What does not fit is omitted.
#[derive(Clone, Copy, Debug)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// Returns an empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or(&[]);
        // Only whole characters are added, so this never fails.
        core::str::from_utf8(bytes).unwrap_or("")
    }

    /// Adds a character. Returns `false` if there is no room.
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

    /// Removes and returns the last character.
    pub fn pop(&mut self) -> Option<char> {
        let last = self.as_str().chars().next_back()?;
        self.len -= last.len_utf8();
        Some(last)
    }

    /// Removes all of the text.
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
