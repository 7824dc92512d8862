//! Writes `docs/headers.md`.

use std::fmt::Write as _;

use crate::corpus::CORPUS;
use crate::coverage::Coverage;
use crate::report::Report;

/// The path of the file.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/headers.md");

/// The longest list of names. Longer ones are cut, and show their length.
const LISTED: usize = 40;
/// The same for macros, most of which have no equivalent in Rust.
const LISTED_MACROS: usize = 10;

/// Returns the text of the whole file.
#[must_use]
pub fn render(reports: &[Report]) -> String {
    updated("", reports, true)
}

/// Returns the file's text with new reports on some headers. The costs of generation vary from run
/// to run, so old ones may stay.
#[must_use]
pub fn updated(file: &str, reports: &[Report], with_costs: bool) -> String {
    let mut page = Page::read(file);
    for report in reports {
        put(&mut page.rows, report.name, row(report));
        put(&mut page.sections, report.name, section(report));
        if with_costs {
            put(&mut page.costs, report.name, costs(report));
        }
    }
    page.text(&reader(reports))
}

/// The file's parts that describe one header each, by its name.
#[derive(Default)]
struct Page {
    rows: Vec<(String, String)>,
    costs: Vec<(String, String)>,
    sections: Vec<(String, String)>,
}

impl Page {
    fn read(file: &str) -> Self {
        let mut page = Self::default();
        let (tables, sections) = file.split_once(SECTIONS).unwrap_or((file, ""));
        let (rows, costs) = tables.split_once(COSTS).unwrap_or((tables, ""));
        for (table, lines) in [(&mut page.rows, rows), (&mut page.costs, costs)] {
            for line in lines.lines() {
                if let Some((name, _)) =
                    line.strip_prefix("| `").and_then(|row| row.split_once('`'))
                {
                    put(table, name, format!("{line}\n"));
                }
            }
        }
        for section in sections.split("\n## ").skip(1) {
            let name = section.lines().next().unwrap_or_default();
            let text = format!("\n## {}\n", section.trim_end_matches('\n'));
            put(&mut page.sections, name, text);
        }
        page
    }

    fn text(mut self, reader: &str) -> String {
        let mut text = introduction(reader);
        for part in [&mut self.rows, &mut self.costs, &mut self.sections] {
            part.sort_by_key(|(name, _)| place(name));
        }
        let join =
            |part: &[(String, String)]| part.iter().map(|(_, text)| &**text).collect::<String>();
        text.push_str(&join(&self.rows));
        text.push_str(COSTS);
        text.push_str(ABOUT_COSTS);
        text.push_str(&join(&self.costs));
        text.push_str(SECTIONS);
        text.push_str(&join(&self.sections));
        text
    }
}

const COSTS: &str = "\n# What it takes\n";
const ABOUT_COSTS: &str = "
Processor time of generating in a build script of the dev profile, in seconds, with the C compiler's time \
for the shims; and how many lines there are, of which the Rust has a table of layouts at its end.

| header | seconds | lines of Rust | lines of C |
|---|---|---|---|
";
const SECTIONS: &str = "\n# What is not bound, and why\n";

/// Returns a header's position in the tables.
fn place(name: &str) -> usize {
    CORPUS.iter().position(|entry| entry.name == name).unwrap_or(CORPUS.len())
}

/// Replaces a header's part.
fn put(parts: &mut Vec<(String, String)>, name: &str, text: String) {
    match parts.iter_mut().find(|(known, _)| known == name) {
        Some((_, part)) => *part = text,
        None => parts.push((name.to_owned(), text)),
    }
}

/// Formats the costs of generating a header.
fn costs(report: &Report) -> String {
    let lines = |text: &str| text.lines().count();
    let (rust, c) = (lines(&report.rust), lines(&report.c));
    format!("| `{}` | {:.1} | {rust} | {c} |\n", report.name, report.seconds)
}

fn introduction(reader: &str) -> String {
    format!(
        "# How much of real headers is bound\n\n\
         Made by `cargo xtask headers`, which installs the libraries. Each header was given to the \
         generator alone, without any option but the macros that it wants. What there is was counted by libclang, apart from the generator. The \
         goal is every function, type and global of every header; *not counted* are those functions \
         that are variadic or take a `va_list`; a `long double` or a complex number passes through \
         as bytes.\n\n\
         `cargo xtask test --only headers` fails when the goal is not reached with the headers of \
         the first rows, up to `stdio.h`, and when a row or its reasons are stale. A row is compared only with headers \
         of exactly the version that it names, read by the same libclang: distributions add functions \
         to a header in security updates. The other headers are tested by name, or all of them: \
         `cargo xtask headers --test`. {reader}\n\n\
         - *bound / there are* for functions, types, globals and macros;\n\
         - *layouts*: structs, unions and enums whose size the C compiler asserts, of those that \
         have members and a tag.\n\n\
         | header | of | functions | not counted | types | layouts | globals | macros |\n\
         |---|---|---|---|---|---|---|---|\n"
    )
}

/// Returns the sentence about libclang. If the file contains it, the same libclang parsed the
/// headers.
fn reader(reports: &[Report]) -> String {
    let reader = reports.first().map_or("none", |report| &report.reader);
    format!("Here libclang was: {reader}.")
}

/// Returns what is wrong with the file's text, compared with `reports`.
///
/// Rows for other versions of the headers, or made with another libclang, cannot be compared. They
/// only have to exist.
#[must_use]
pub fn stale(file: &str, reports: &[Report]) -> Vec<String> {
    let mut wrong: Vec<String> = reports.iter().flat_map(|report| absent(file, report)).collect();
    let comparable = comparable(file, reports);
    for report in &comparable {
        let now = [row(report), section(report)].into_iter();
        wrong.extend(now.filter(|text| !file.contains(text)));
    }
    if wrong.is_empty()
        && comparable.len() == reports.len()
        && file != updated(file, reports, false)
    {
        wrong.push("the text around the rows, or their order".to_owned());
    }
    wrong
}

/// Returns the reports for the same versions as the file's rows.
#[must_use]
pub fn comparable<'a>(file: &str, reports: &'a [Report]) -> Vec<&'a Report> {
    let same_reader = file.contains(&reader(reports));
    let is_listed = |report: &&Report| same_reader && file.contains(&row_start(report));
    reports.iter().filter(is_listed).collect()
}

/// Returns what the file lacks about a header, whatever its version.
fn absent(file: &str, report: &Report) -> Vec<String> {
    let row = format!("\n| `{}` | {} ", report.name, library(report));
    let starts = [row, format!("\n## {}\n", report.name)];
    let absent = starts.into_iter().filter(|start| file.matches(start).count() != 1);
    absent.map(|start| format!("not there exactly once: {}", start.trim())).collect()
}

/// Returns the library of a row, without its version.
fn library(report: &Report) -> &str {
    report.version.split(' ').next().unwrap_or_default()
}

/// Returns a header's row.
fn row(report: &Report) -> String {
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

/// Returns the start of a header's row. If the file contains it, the row is for the same version.
fn row_start(report: &Report) -> String {
    format!("| `{}` | {} | ", report.name, report.version)
}

fn share(coverage: &Coverage) -> String {
    if coverage.total == 0 {
        return "–".to_owned();
    }
    format!("{} / {}", coverage.bound, coverage.total)
}

/// Returns the list of everything in a header that is not bound.
fn section(report: &Report) -> String {
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
    let most = if kind == "Macros" { LISTED_MACROS } else { LISTED };
    let mut text = String::new();
    for (reason, names) in &coverage.left_out {
        let shown: Vec<String> = names.iter().take(most).map(|name| format!("`{name}`")).collect();
        let more = names.len().saturating_sub(most);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "- {kind}, {}: {reason}: {}{more}", names.len(), shown.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{comparable, render, stale, updated};
    use crate::coverage::Coverage;
    use crate::report::Report;

    /// Returns reports on two headers, the first of which has `functions`.
    fn reports(functions: &[&str]) -> Vec<Report> {
        let names: Vec<String> = functions.iter().copied().map(str::to_owned).collect();
        let a_functions =
            Coverage::of(&names, |name| (name == "odd").then(|| "variadic".to_owned()));
        let report = |name, functions| Report {
            name,
            version: "liba 1.0-1".to_owned(),
            reader: "clang 14".to_owned(),
            functions,
            ..Report::default()
        };
        vec![report("a.h", a_functions), report("b.h", Coverage::default())]
    }

    #[test]
    fn a_table_of_what_there_is_is_fresh() {
        let reports = reports(&["f", "odd"]);
        let file = render(&reports);
        assert_eq!(stale(&file, &reports), [""; 0]);
        assert_eq!(comparable(&file, &reports).len(), 2);
        let wordy = file.replace("How much", "So much");
        assert_eq!(stale(&wordy, &reports).len(), 1);
    }

    #[test]
    fn another_number_or_reason_for_the_same_version_is_stale() {
        let file = render(&reports(&["f", "odd"]));
        assert_eq!(stale(&file, &reports(&["f", "g", "odd"])).len(), 1); // the row
        assert_eq!(stale(&file, &reports(&["f", "odd", "odd"])).len(), 2); // the reasons too
    }

    #[test]
    fn what_an_update_adds_does_not_make_it_stale() {
        let file = render(&reports(&["f", "odd"]));
        let mut updated = reports(&["f", "g", "odd", "odd"]);
        updated[0].version = "liba 1.0-1+deb12u1".to_owned();
        assert_eq!(stale(&file, &updated), [""; 0]);
        assert_eq!(comparable(&file, &updated).len(), 1);
        // The other header's version is unchanged.
        updated[1].functions = reports(&["h"])[0].functions.clone();
        assert_eq!(stale(&file, &updated).len(), 1);
    }

    #[test]
    fn another_libclang_may_count_otherwise() {
        let file = render(&reports(&["f"]));
        let mut read = reports(&["f", "g"]);
        read.iter_mut().for_each(|report| report.reader = "clang 19".to_owned());
        assert_eq!(stale(&file, &read), [""; 0]);
    }

    #[test]
    fn every_header_has_a_row_and_a_section_whatever_its_version() {
        let file = render(&reports(&["f"])[..1]);
        let mut both = reports(&["f"]);
        both[1].version = "libb 2".to_owned();
        assert_eq!(stale(&file, &both).len(), 2);
    }

    #[test]
    fn rows_of_other_headers_stay() {
        let both = reports(&["f"]);
        let file = render(&both);
        assert_eq!(updated(&file, &both[..1], false), file);
        assert_eq!(updated(&render(&both[1..]), &both[..1], true).matches("| `a.h` | ").count(), 2);
    }
}
