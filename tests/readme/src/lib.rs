//! Finds a README's files: a line with the name in backticks and a colon, then a code block.
#![forbid(unsafe_code)]

/// The code block that follows the line `` `name`: ``; `None` without one.
///
/// ```
/// let text = "`a.rs`:\n\n```rust\nfn main() {}\n```\n";
/// assert_eq!(omniglot_readme::file(text, "a.rs").as_deref(), Some("fn main() {}\n"));
/// assert_eq!(omniglot_readme::file(text, "b.rs"), None);
/// ```
#[must_use]
pub fn file(readme: &str, name: &str) -> Option<String> {
    let heading = format!("`{name}`:");
    let mut lines = readme.lines().skip_while(|line| *line != heading).skip(1);
    lines.find(|line| line.starts_with("```"))?;
    let block = lines.take_while(|line| *line != "```");
    Some(block.flat_map(|line| [line, "\n"]).collect())
}
