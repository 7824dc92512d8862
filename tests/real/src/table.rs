//! The table of what works, and what it costs.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use real_subject::Subject;

use crate::measure::{Outcome, Where, apart};
use crate::subjects;

/// Prints the table of the libraries with these names, or of all with an introduction.
pub(crate) fn run(names: &[String]) -> Result<ExitCode> {
    for name in names {
        let known = subjects().any(|subject| subject.name == name);
        let all: Vec<&str> = subjects().map(|subject| subject.name).collect();
        ensure!(known, "there is no {name}; there are {}", all.join(", "));
    }
    let wanted = subjects()
        .filter(|subject| names.is_empty() || names.iter().any(|name| name == subject.name));
    let rows = wanted.map(Row::make).collect::<Result<Vec<_>>>()?;
    if names.is_empty() {
        println!("{}", introduction(&rows));
    }
    println!("{HEAD}");
    for row in &rows {
        println!("{}", row.line());
    }
    let good =
        rows.iter().all(|row| row.process.failure.is_none() || row.subject.refused.is_some());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const HEAD: &str = "\
| library | version | what it does here | confirmed by | in a process | in this process | sandboxed | start | memory | job | ÷ plain | in this process ÷ plain | sandboxed ÷ plain |
|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// A library with its result in each place.
struct Row {
    subject: &'static Subject,
    version: String,
    process: Outcome,
    in_process: Outcome,
    sandboxed: Outcome,
    plain: Outcome,
}

impl Row {
    fn make(subject: &'static Subject) -> Result<Self> {
        eprintln!("{}", subject.name);
        let in_place = |place| {
            apart(subject, place).unwrap_or_else(|error| Outcome {
                failure: Some(format!("{error:#}")),
                ..Outcome::default()
            })
        };
        Ok(Self {
            subject,
            version: version(subject.package)?,
            process: in_place(Where::Process),
            in_process: in_place(Where::InProcess),
            sandboxed: in_place(Where::Sandboxed),
            plain: in_place(Where::Plain),
        })
    }

    fn line(&self) -> String {
        let subject = self.subject;
        let (process, in_process) = (&self.process, &self.in_process);
        let works = match (&process.failure, subject.builder) {
            (Some(failure), _) => {
                format!("refused: {}", subject.refused.unwrap_or_else(|| first_line(failure)))
            }
            (None, []) => "works".to_owned(),
            (None, lines) => {
                let lines: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
                format!("works with {}", lines.join(" "))
            }
        };
        let beside = verdict(in_process, subject.not_in_process);
        let sandboxed = verdict(&self.sandboxed, subject.not_sandboxed);
        let figures = if process.failure.is_some() {
            "– | – | –".to_owned()
        } else {
            let (start, memory) = (process.start * 1e3, process.memory / f64::from(1 << 20));
            format!("{start:.0} ms | {memory:.1} MiB | {}", time(process.job))
        };
        let outcomes = [process, in_process, &self.sandboxed];
        let ratios = outcomes.map(|outcome| ratio(outcome, &self.plain)).join(" | ");
        let Subject { name, does, confirmed, .. } = subject;
        let version = &self.version;
        format!(
            "| {name} | {version} | {does} | {confirmed} | {works} | {beside} | {sandboxed} \
             | {figures} | {ratios} |"
        )
    }
}

/// Whether it works in the program's own process, or why not.
fn verdict(outcome: &Outcome, known: Option<&str>) -> String {
    match (&outcome.failure, known) {
        (None, _) => "works".to_owned(),
        (Some(_), Some(reason)) => format!("refused: {reason}"),
        (Some(failure), None) => format!("fails: {}", first_line(failure)),
    }
}

/// Formats the ratio of the job's time to that of plain calls, if both are known.
fn ratio(outcome: &Outcome, plain: &Outcome) -> String {
    let is_known = outcome.failure.is_none() && plain.failure.is_none();
    if is_known { format!("{:.2}", outcome.job / plain.job) } else { "–".to_owned() }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Formats a time with a suitable unit.
fn time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0} µs", seconds * 1e6)
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}

/// Returns the version of an installed package.
fn version(package: &str) -> Result<String> {
    let query = ["-W", "-f", "${Version}", package];
    let output = Command::new("dpkg-query").args(query).output();
    let output = output.context("could not start dpkg-query")?;
    ensure!(output.status.success(), "the package {package} is not installed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the introduction to the whole table.
fn introduction(rows: &[Row]) -> String {
    let works = rows.iter().filter(|row| row.process.failure.is_none());
    let (mut alone, mut two, mut more) = (0, 0, 0);
    for row in works {
        match row.subject.builder.len() {
            0 => alone += 1,
            1 | 2 => two += 1,
            _ => more += 1,
        }
    }
    let refused = rows.len() - alone - two - more;
    let beside = rows.iter().filter(|row| row.in_process.failure.is_none()).count();
    let sandboxed = rows.iter().filter(|row| row.sandboxed.failure.is_none()).count();
    format!(
        "# Real libraries, unmodified

Made by `cargo xtask libraries`. Each library is Debian's own, at its main job, in a program that a \
user could have written ([tests/real](../tests/real)): generated bindings, `forbid(unsafe_code)`. \
Another implementation confirms each result. `cargo xtask test --only real` runs them all.

Of {count} rows, {alone} work in a process as they are, {two} with one or two lines of the builder, \
{more} with more; {refused} do not. In the host's own process (`Unprotected`), where there are no \
threads and no memory for code, {beside} work with the same lines. Rewritten from Debian's static \
archives, with musl's C library, as verified code in the host's own process (`Isolation::Sfi`), \
{sandboxed} work.

- *start*: `build()` until the instance is ready, once. *memory*: what the worker held after the job, \
where what several processes share counts in part. *job*: the shortest of repeated jobs, from the \
host's values to the host's values.
- *÷ plain*: the same program where the library is opened by the program itself and its functions are \
called directly, as plain FFI does, in ratio; what was copied and checked is the same. Where that is \
missing, the job needs what only a domain has, such as a file of its own. Optimised builds; figures \
of one run on one machine with two processors: look at what differs by much.
",
        count = rows.len(),
    )
}
