//! Runs the corpus: as tests, or to make a table of what works and what it costs.
//!
//! Each library runs in its own process, which is this same program, so that it neither affects
//! another's figures nor, without protection, crashes it.
#![forbid(unsafe_code)]

mod measure;
mod table;
mod tests;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use real_subject::Subject;

/// Returns all libraries, in the order of the table.
fn subjects() -> impl Iterator<Item = &'static Subject> {
    let topics = [
        real_images::SUBJECTS,
        real_text::SUBJECTS,
        real_data::SUBJECTS,
        real_numbers::SUBJECTS,
        real_sound::SUBJECTS,
        real_system::SUBJECTS,
    ];
    topics.into_iter().flatten().copied()
}

const USAGE: &str = "omniglot-real test [FILTER..] | table [NAME..] | one NAME RUNTIME";

fn main() -> Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (first, rest) = words.split_first().context(USAGE)?;
    match (first.as_str(), rest) {
        ("test", rest) => Ok(tests::run(rest)),
        ("table", names) => table::run(names),
        ("one", [name, runtime]) => {
            let subject =
                subjects().find(|subject| subject.name == name).context("no such name")?;
            println!("{}", serde_json::to_string(&measure::here(subject, runtime.parse()?))?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!(USAGE),
    }
}
