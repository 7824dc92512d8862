//! Finds a document's files: a line with the name in backticks and a colon, then a code block.
#![forbid(unsafe_code)]

/// The name and content of each file: the code block that follows a line `` `name`: ``.
///
/// ```
/// let text = "`a.rs`:\n\n```rust\nfn main() {}\n```\n\nText about `b.rs`:\n";
/// let files = omniglot_readme::files(text);
/// assert_eq!(files, [("a.rs".to_owned(), "fn main() {}\n".to_owned())]);
/// ```
#[must_use]
pub fn files(document: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")) else {
            continue;
        };
        if lines.find(|line| line.starts_with("```")).is_some() {
            let block = lines.by_ref().take_while(|line| *line != "```");
            files.push((name.to_owned(), block.flat_map(|line| [line, "\n"]).collect()));
        }
    }
    files
}
