//! `docs/headers.md`.

use std::fmt::Write as _;

use crate::coverage::Coverage;
use crate::report::{GOAL_PERCENT, Report};

/// The file.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/headers.md");

/// Longer lists of names are cut, with their number.
const LISTED: usize = 40;

/// The whole file.
#[must_use]
pub fn render(reports: &[Report]) -> String {
    let mut text = introduction();
    reports.iter().for_each(|report| text.push_str(&row(report)));
    text.push_str("\n# What is not bound, and why\n");
    reports.iter().for_each(|report| text.push_str(&section(report)));
    text
}

fn introduction() -> String {
    format!(
        "# How much of real headers is bound\n\n\
         Made by `cargo run -p omniglot-headers`; `cargo xtask test --only headers` fails when it is \
         stale. Each header was given to the generator alone, without any option. What there is was \
         counted by libclang, apart from the generator. The goal is {GOAL_PERCENT} % of the \
         functions of every header; *not counted* are those that are variadic or take a `va_list`; \
         a `long double` or a complex number passes through as bytes.\n\n\
         - *bound / there are* for functions, types, globals and macros;\n\
         - *layouts*: structs, unions and enums whose size the C compiler asserts, of those that \
         have members and a tag.\n\n\
         | header | of | functions | not counted | types | layouts | globals | macros |\n\
         |---|---|---|---|---|---|---|---|\n"
    )
}

/// A header's row.
#[must_use]
pub fn row(report: &Report) -> String {
    format!(
        "{}{} | {} | {} | {} | {} | {} |\n",
        row_start(report),
        share(&report.functions),
        report.not_counted(),
        share(&report.types),
        share(&report.layouts),
        share(&report.globals),
        share(&report.macros),
    )
}

/// The start of a header's row: if the file has it, it is about the same version.
#[must_use]
pub fn row_start(report: &Report) -> String {
    format!("| `{}` | {} | ", report.name, report.version)
}

fn share(coverage: &Coverage) -> String {
    if coverage.total == 0 {
        return "–".to_owned();
    }
    format!("{} / {}", coverage.bound, coverage.total)
}

/// Everything that a header has and that is not bound.
#[must_use]
pub fn section(report: &Report) -> String {
    let kinds = [
        ("Functions", &report.functions),
        ("Types", &report.types),
        ("Layouts", &report.layouts),
        ("Globals", &report.globals),
        ("Macros", &report.macros),
    ];
    let lists: String = kinds.iter().map(|(kind, coverage)| list(kind, coverage)).collect();
    let lists = if lists.is_empty() { "Everything is bound.\n".to_owned() } else { lists };
    format!("\n## {}\n\n{lists}", report.name)
}

fn list(kind: &str, coverage: &Coverage) -> String {
    let mut text = String::new();
    for (reason, names) in &coverage.left_out {
        let shown: Vec<String> =
            names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
        let more = names.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "- {kind}, {}: {reason}: {}{more}", names.len(), shown.join(", "));
    }
    text
}
