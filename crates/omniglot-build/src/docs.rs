//! C comments as Rust documentation.

/// Makes a C comment safe for rustdoc: plain prose stays prose; anything that
/// rustdoc could take for a link, a tag or a code block goes into a text block.
pub(crate) fn sanitise(comment: &str) -> String {
    let comment = visible(comment);
    let lines: Vec<&str> = comment.lines().map(strip_decoration).collect();
    let text = lines.join("\n");
    let text = text.trim_matches('\n').trim_end();
    if is_plain(text) {
        return text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    }
    let fence = fence(text);
    format!("{fence}text\n{text}\n{fence}")
}

/// Whether a text appears as it is to a reviewer.
pub(crate) fn is_visible(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

/// A character that changes the direction of writing.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t')
}

/// Escapes what would make a reader see another text than the compiler: characters that change the
/// direction of writing, and those that control a terminal.
fn visible(comment: &str) -> String {
    let mut text = String::new();
    for character in comment.replace("\r\n", "\n").chars() {
        if is_hidden(character) || is_control(character) {
            text.push_str(&format!("U+{:04X}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
    text
}

/// Drops one space, or the star, that comments start their lines with.
fn strip_decoration(line: &str) -> &str {
    let line = line.strip_prefix(' ').unwrap_or(line);
    let inner = line.trim_start();
    match inner.strip_prefix('*') {
        Some(rest) => rest.strip_prefix(' ').unwrap_or(rest),
        None => line,
    }
}

fn is_plain(text: &str) -> bool {
    let harmless = |character: char| {
        character.is_alphanumeric()
            || character.is_whitespace()
            || ".,:;'()/%!?\"+=-_".contains(character)
    };
    let emphasis = |word: &str| word.starts_with('_') || word.ends_with('_');
    let indented = |line: &str| line.starts_with("    ") || line.starts_with('\t');
    let marker = |line: &str| {
        let line = line.trim_start();
        line.starts_with(['-', '+', '=']) || line.starts_with(|first: char| first.is_ascii_digit())
    };
    text.chars().all(harmless)
        && !text.contains("://")
        && !text.lines().any(|line| indented(line) || marker(line))
        && !text.split_whitespace().any(emphasis)
}

/// Backticks that are more than any in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::sanitise;

    #[test]
    fn prose_stays_prose() {
        assert_eq!(sanitise(" Adds two numbers."), "Adds two numbers.");
    }

    #[test]
    fn what_hides_is_spelled_out() {
        assert_eq!(sanitise(" a\u{202e}b\rc\r\nd"), "aU+202EbU+000Dc\nd");
    }

    #[test]
    fn anything_else_is_kept_verbatim_in_a_block() {
        assert_eq!(
            sanitise(" See [x].\n *     code();\n * ```"),
            "````text\nSee [x].\n    code();\n```\n````"
        );
    }
}
