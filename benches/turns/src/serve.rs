//! The side of the process that runs variants.
//!
//! Each question is one line, and each answer is one line:
//!
//! | question | answer |
//! |---|---|
//! | `workload NAME SIZE` | `variants NAME:MOST …` of the workload, which is now set up; no names if there is none |
//! | `turn INDEX COUNT` | `took NANOSECONDS` |
//!
//! An answer may also be `error WHAT`. The process exits at the end of the questions.

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};

use crate::{Variant, Workload};

/// Answers questions until there are no more. `find` sets a workload up; it returns `None` if there
/// is none of that name and size.
///
/// # Errors
/// If questions cannot be read or answers cannot be written. An error of a workload is sent as an
/// answer.
pub fn serve(
    questions: impl BufRead,
    mut answers: impl Write,
    mut find: impl FnMut(&str, usize) -> Result<Option<Workload>>,
) -> Result<()> {
    let mut variants = Vec::new();
    for question in questions.lines() {
        let answer = match answer(&question?, &mut variants, &mut find) {
            Ok(answer) => answer,
            Err(error) => format!("error {}", format!("{error:#}").replace('\n', " ")),
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

fn answer(
    question: &str,
    variants: &mut Vec<Variant>,
    find: &mut impl FnMut(&str, usize) -> Result<Option<Workload>>,
) -> Result<String> {
    let words: Vec<&str> = question.split(' ').collect();
    match words[..] {
        ["workload", name, size] => {
            // The old variants are dropped first, since they may hold processes and memory.
            variants.clear();
            *variants = find(name, size.parse()?)?.map_or_else(Vec::new, |found| found.variants);
            let each = |variant: &Variant| format!(" {}:{}", variant.name(), variant.most());
            Ok(format!("variants{}", variants.iter().map(each).collect::<String>()))
        }
        ["turn", index, count] => {
            let variant = variants.get_mut(index.parse::<usize>()?).context("no such variant")?;
            Ok(format!("took {}", variant.turn(count.parse()?)?.as_nanos()))
        }
        _ => bail!("this is no question: {question}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::serve;
    use crate::{Variant, Workload};

    #[test]
    fn questions_are_answered_and_mistakes_too() {
        let questions = b"workload sum 8\nturn 0 5\nturn 1 5\nturn 2 5\nworkload other 8\nwhat\n";
        let mut answers = Vec::new();
        let ok = |count| Ok(Duration::from_nanos(3 * u64::from(count)));
        serve(&questions[..], &mut answers, |name, size| {
            let variants = vec![
                Variant::timed("good", ok),
                Variant::timed("bad", |_| anyhow::bail!("wrong\nsum")).at_most(7),
            ];
            Ok((name == "sum").then_some(Workload { size, variants }))
        })
        .unwrap();
        let answers = String::from_utf8(answers).unwrap();
        let expected = [
            "variants good:1000000 bad:7",
            "took 15",
            "error wrong sum",
            "error no such variant",
            "variants",
            "error this is no question: what",
        ];
        assert_eq!(answers.lines().collect::<Vec<_>>(), expected);
    }
}
