//! The tables, for a document and for the page.

use std::fmt::Write;

use omniglot_turns::Unit;

use super::goals::goals;
use super::{amount, factor};
use crate::results::{Machine, Results};
use crate::workloads::{ENTRIES, Entry, PAPER, Paper};

const BEGIN: &str = "<!-- The tables below are generated: `cargo xtask bench --docs`. -->";
const END: &str = "<!-- The tables above are generated. -->";

/// A table with a heading and a sentence of explanation.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Returns the document with new tables, or `None` if it lacks the markers.
pub(super) fn insert(document: &str, results: &Results) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut text = format!("{before}{BEGIN}\n\n{}\n", machine(&results.machine));
    for section in sections(results) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {}\n\n{}\n\n", section.title, section.about);
        let _ = writeln!(text, "| {} |", section.head.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(section.head.len()));
        for row in &section.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
    Some(format!("{text}\n{END}{after}"))
}

/// Returns all tables.
pub(super) fn sections(results: &Results) -> Vec<Section> {
    let mut sections = vec![against_goals(results), against_paper(results)];
    sections.extend(ENTRIES.iter().filter_map(|entry| workload(results, entry)));
    sections
}

/// Describes the machine.
pub(super) fn machine(machine: &Machine) -> String {
    let busy = if machine.is_busy() {
        " **Other programs kept the processors busy meanwhile: these figures say that everything \
         works, and nothing about what it costs.**"
    } else {
        ""
    };
    format!(
        "Measured on {}, {} processors, {}, load {}, on {}, at commit {}, with {} and {}.{busy}",
        machine.processor,
        machine.processors,
        machine.system,
        machine.load,
        machine.date,
        machine.commit,
        machine.compiler,
        machine.libraries,
    )
}

fn against_goals(results: &Results) -> Section {
    let rows = goals(results).into_iter().map(|goal| {
        let mark = if goal.is_met() == Some(false) { ", missed" } else { "" };
        let value = format!("{}{mark}", goal.value_text());
        vec![goal.what.clone(), goal.limit_text(), value, goal.meaning.to_owned()]
    });
    Section {
        title: "Goals".to_owned(),
        about:
            "Each is a ratio within one run, but for times and memory. Where two ways are named \
                beside each other, the limit is what the second one costs."
                .to_owned(),
        head: ["what", "at most", "measured", "what it means"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// Compares the paper's ratios with ours. Absolute times of different machines cannot be compared.
fn against_paper(results: &Results) -> Section {
    let head = [
        "work",
        "size",
        "paper, keys: over plain FFI",
        "ours, keys",
        "ours, unprotected",
        "ours, process",
        "paper: checks over isolation",
        "ours, unprotected",
        "ours, process",
        "paper, IPC: over plain FFI",
        "ours, IPC",
    ];
    let rows = PAPER.iter().map(|figures| {
        let ratios = paper_row(results, figures);
        let ratios = ratios.map(|ratio| ratio.map_or_else(|| "–".to_owned(), factor));
        let mut row = vec![figures.workload.to_owned(), figures.size.to_string()];
        row.extend(ratios);
        row
    });
    Section {
        title: "Beside the paper".to_owned(),
        about:
            "Ratios only: the paper's machines are others. Its figures are those of the outputs \
                that were published with its artifact."
                .to_owned(),
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

fn paper_row(results: &Results, paper: &Paper) -> [Option<f64>; 9] {
    let ratio =
        |variant: &str, base: &str| results.ratio(paper.workload, paper.size, variant, base);
    [
        paper.plain.map(|plain| paper.omniglot / plain),
        ratio("keys", "native"),
        ratio("unprotected", "native"),
        ratio("process", "native"),
        paper.isolation.map(|isolation| paper.omniglot / isolation),
        ratio("unprotected", "unprotected-unchecked"),
        ratio("process", "process-unchecked"),
        paper.ipc.zip(paper.plain).map(|(ipc, plain)| ipc / plain),
        ratio("ipc", "native"),
    ]
}

/// Tabulates all medians of a workload, with a line for each size and a column for each variant.
/// Returns `None` if it was not measured.
fn workload(results: &Results, entry: &Entry) -> Option<Section> {
    let variants = results.variants(entry.name);
    let unit = results.of_workload(entry.name).next()?.unit;
    let row = |size: usize| {
        let mut row = vec![if size == 0 { "–".to_owned() } else { size.to_string() }];
        row.extend(variants.iter().map(|variant| cell(results, entry, size, variant, unit)));
        row
    };
    let mut head = vec!["size".to_owned()];
    head.extend(variants.iter().map(|&variant| variant.to_owned()));
    Some(Section {
        title: entry.name.to_owned(),
        about: format!("One operation: {}.", entry.about),
        head,
        rows: results.sizes(entry.name).into_iter().map(row).collect(),
    })
}

/// Formats a median and its ratio to plain FFI.
fn cell(results: &Results, entry: &Entry, size: usize, variant: &str, unit: Unit) -> String {
    let Some(median) = results.median(entry.name, size, variant) else {
        return "cannot".to_owned();
    };
    let ratio = results.over_plain(entry.name, size, variant).filter(|_| variant != "native");
    let over = ratio.map(|ratio| format!(" ({})", factor(ratio)));
    format!("{}{}", amount(median, unit), over.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::insert;
    use crate::results::Results;

    #[test]
    fn the_document_is_what_its_records_say() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let document = fs::read_to_string(docs.join("evaluation.md")).unwrap();
        let results = Results::read(&docs.join("evaluation.json")).unwrap();
        let fresh = insert(&document, &results).unwrap();
        assert!(
            document == fresh,
            "docs/evaluation.md is not what docs/evaluation.json says; run the bench program \
             with `--from docs/evaluation.json --tables docs/evaluation.md`"
        );
    }

    #[test]
    fn a_document_without_marks_is_refused() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let results = Results::read(&docs.join("evaluation.json")).unwrap();
        assert_eq!(insert("no marks", &results), None);
    }
}
