//! Short text held inline, so that errors need no allocator.

use core::fmt;
use core::hash::{Hash, Hasher};

/// Up to [`Text::CAPACITY`] bytes of UTF-8, cut at a character's end when longer; or a text of
/// the program's own, of any length.
///
/// Errors carry messages of the system or of a foreign library. Such text is untrusted:
/// [`Text::from_untrusted`] escapes control and formatting characters.
///
/// ```
/// use omniglot_core::Text;
/// assert_eq!(Text::new("libm.so.6").as_str(), "libm.so.6");
/// assert_eq!(Text::fixed("is missing").as_str(), "is missing");
/// assert_eq!(Text::from_untrusted(b"a\x1b[31m").as_str(), "a\\u{1b}[31m");
/// ```
#[derive(Clone, Copy)]
pub struct Text {
    /// The initial content.
    fixed: &'static str,
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Text {
    /// The longest text that is kept, in bytes: 119, and 47 without an allocator, where memory is
    /// scarce. Every function that can fail reserves space for an error.
    pub const CAPACITY: usize = if cfg!(feature = "alloc") { 119 } else { 47 };

    /// A text of the program's own.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self { fixed: text, bytes: [0; Self::CAPACITY], len: 0 }
    }

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
        if self.len == 0 {
            return self.fixed;
        }
        let end = usize::from(self.len);
        core::str::from_utf8(self.bytes.get(..end).unwrap_or(&[])).unwrap_or("")
    }

    /// Appends as much of `text` as fits.
    pub fn push(&mut self, text: &str) {
        let fixed = core::mem::take(&mut self.fixed);
        if !fixed.is_empty() {
            self.push(fixed);
        }
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

/// Characters that format or reorder the text around them, or are invisible: Unicode's general
/// category Cf, its line and paragraph separators, and those that a font may ignore, such as
/// variation selectors, whole blocks of which can hide text.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

impl Default for Text {
    fn default() -> Self {
        Self::fixed("")
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_str().hash(hasher);
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
    use unicode_general_category::{GeneralCategory, get_general_category};

    use super::{Text, is_invisible};

    #[test]
    fn long_text_is_cut_at_a_character() {
        let text = Text::new(&"é".repeat(100));
        assert_eq!(text.as_str().len(), 118);
        assert!(text.as_str().chars().all(|character| character == 'é'));
    }

    #[test]
    fn fixed_text_is_whole_and_can_go_on() {
        let long = "a text that is longer than what is kept of others, and that is there as a whole \
                    all the same, since it is the program's own, not a copy of it";
        let mut text = Text::fixed(long);
        assert_eq!(text.as_str(), long);
        text.push("!");
        assert_eq!(text.as_str(), &long[..Text::CAPACITY]);
        let mut text = Text::fixed("library");
        text.push("+0x10");
        assert_eq!((text.as_str(), text), ("library+0x10", Text::new("library+0x10")));
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(Text::from_untrusted(b"a\xffb\n").as_str(), "a\u{fffd}b\\n");
    }

    /// Characters that a font may ignore although they have another category, or none yet.
    const fn is_ignorable(character: char) -> bool {
        matches!(
            character,
            '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{2065}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}'
        )
    }

    #[test]
    fn what_does_not_show_is_what_unicode_says() {
        let formats = |character| {
            matches!(
                get_general_category(character),
                GeneralCategory::Format
                    | GeneralCategory::LineSeparator
                    | GeneralCategory::ParagraphSeparator
            )
        };
        for character in '\0'..=char::MAX {
            let hidden = formats(character) || is_ignorable(character);
            assert_eq!(is_invisible(character), hidden, "{}", character.escape_unicode());
        }
    }

    #[test]
    fn nothing_is_hidden_in_text() {
        for hidden in ["\u{110bd}", "\u{13430}", "\u{1bca0}", "\u{1d173}", "\u{fe0f}", "\u{e0100}"]
        {
            let text = Text::from_untrusted(hidden.as_bytes());
            assert!(text.as_str().is_ascii(), "{text:?}");
        }
    }

    #[test]
    fn text_cannot_be_reordered() {
        let text = Text::from_untrusted("a\u{202e}b\u{2028}".as_bytes());
        assert_eq!(text.as_str(), "a\\u{202e}b\\u{2028}");
    }
}
