//! The text of C comments.

use clang::Entity;

/// The comment on a declaration, without the marks of a comment.
pub(super) fn of(entity: &Entity<'_>) -> String {
    entity.get_comment().map(|comment| text(&comment)).unwrap_or_default()
}

fn text(comment: &str) -> String {
    if comment.starts_with("//") {
        let lines = comment.lines().map(|line| line.trim().trim_start_matches('/'));
        return lines.collect::<Vec<_>>().join("\n");
    }
    let inner = comment.trim_start_matches('/').trim_end_matches('/').trim_end_matches('*');
    let lines =
        inner.lines().map(|line| line.trim().trim_start_matches('*').trim_start_matches('!'));
    let mut lines: Vec<&str> = lines.skip_while(|line| line.trim().is_empty()).collect();
    if lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn the_marks_of_comments_are_left_out() {
        assert_eq!(text("/// one\n/// two"), " one\n two");
        assert_eq!(text("/** one\n *  two\n */"), " one\n  two");
        assert_eq!(text("/*! one */"), " one");
        assert_eq!(text("/**\n * one\n */"), " one");
    }
}
