//! Short text held inline, so that errors need no allocator.

use core::fmt;

/// Up to [`Text::CAPACITY`] bytes of UTF-8, cut at a character's end when longer.
///
/// Errors carry what the system or a foreign library said. Such text is somebody
/// else's word: [`Text::from_untrusted`] escapes control and formatting characters.
///
/// ```
/// use omniglot_core::Text;
/// assert_eq!(Text::new("libm.so.6").as_str(), "libm.so.6");
/// assert_eq!(Text::from_untrusted(b"a\x1b[31m").as_str(), "a\\u{1b}[31m");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Text {
    /// The longest text that is kept, in bytes.
    pub const CAPACITY: usize = 119;

    /// Keeps as much of `text` as fits.
    #[must_use]
    #[inline(never)] // Errors are many, and their texts long.
    pub fn new(text: &str) -> Self {
        let mut kept = Self::default();
        kept.push(text);
        kept
    }

    /// Keeps as much of foreign bytes as fits: control characters escaped, invalid UTF-8 replaced.
    #[must_use]
    pub fn from_untrusted(bytes: &[u8]) -> Self {
        let mut kept = Self::default();
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|character| kept.push_escaped(character));
            if !chunk.invalid().is_empty() {
                kept.push("\u{fffd}");
            }
        }
        kept
    }

    /// What was kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = usize::from(self.len);
        core::str::from_utf8(self.bytes.get(..end).unwrap_or(&[])).unwrap_or("")
    }

    /// Appends as much of `text` as fits.
    pub fn push(&mut self, text: &str) {
        for character in text.chars() {
            if !self.push_char(character) {
                return;
            }
        }
    }

    fn push_escaped(&mut self, character: char) {
        if character.is_control() || is_invisible(character) {
            character.escape_default().for_each(|part| {
                self.push_char(part);
            });
        } else {
            self.push_char(character);
        }
    }

    fn push_char(&mut self, character: char) -> bool {
        let start = usize::from(self.len);
        let end = start + character.len_utf8();
        let Some(room) = self.bytes.get_mut(start..end) else {
            return false;
        };
        character.encode_utf8(room);
        self.len = end as u8; // CAPACITY < 256
        true
    }
}

/// Characters that format or reorder what is around them (Unicode's general
/// category Cf, and its line and paragraph separators).
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn long_text_is_cut_at_a_character() {
        let text = Text::new(&"é".repeat(100));
        assert_eq!(text.as_str().len(), 118);
        assert!(text.as_str().chars().all(|character| character == 'é'));
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(Text::from_untrusted(b"a\xffb\n").as_str(), "a\u{fffd}b\\n");
    }

    #[test]
    fn text_cannot_be_reordered() {
        let text = Text::from_untrusted("a\u{202e}b\u{2028}".as_bytes());
        assert_eq!(text.as_str(), "a\\u{202e}b\\u{2028}");
    }
}
