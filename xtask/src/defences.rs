//! `cargo xtask defences`: shows that each defence of protection keys is one that a test misses.
//!
//! Each is taken out of a copy of the sources, the others stay; then the one test that is to
//! notice runs in a guest, and has to fail. All that this builds is under `target/defences`.

mod scratch;
mod table;
mod verdict;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::scratch::Scratch;
use self::table::{DEFENCES, Defence, Test};
use self::verdict::Verdict;
use crate::guest::{self, Accelerator, Guest, Stream};
use crate::workspace::Workspace;

/// What `cargo xtask defences` is told.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Try only defences whose name has this in it (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Only check that each defence is where the table says, once
    #[arg(long)]
    check: bool,

    /// Leave out the run with all defences in place, in which all the tests have to pass
    #[arg(long)]
    no_baseline: bool,
}

/// How long one test may take in a guest, on a machine that is busy.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Tries the defences, and fails if one can be taken out without a test that fails.
///
/// `asked` is whether the user said `--install`.
pub(crate) fn run(options: &Options, asked: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let chosen = choose(&options.only)?;
    for defence in &chosen {
        weakened(&read(workspace.root(), defence)?, defence)?;
    }
    if options.check {
        say(&format!("all {} defences are where the table says", chosen.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    guest::prepare(&workspace, asked)?;
    let scratch = Scratch::prepare(&workspace)?;
    if !options.no_baseline {
        baseline(&workspace, &scratch, &chosen)?;
    }
    let mut unnoticed = 0;
    for defence in &chosen {
        let verdict = try_without(&workspace, &scratch, defence)?;
        unnoticed += usize::from(!verdict.is_failure());
        say(&format!("{}: {}", defence.name, verdict.about(&defence.test.to_string())))?;
    }
    say(&format!("\n{} noticed, {unnoticed} not", chosen.len() - unnoticed))?;
    Ok(if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(only: &[String]) -> Result<Vec<&'static Defence>> {
    let is_meant =
        |defence: &&Defence| only.is_empty() || only.iter().any(|name| defence.name.contains(name));
    let chosen: Vec<_> = DEFENCES.iter().filter(is_meant).collect();
    if chosen.is_empty() {
        bail!("no defence has such a name; they are in xtask/src/defences/table.rs");
    }
    Ok(chosen)
}

/// Beneath the directory of all sources.
fn file_of(defence: &Defence) -> PathBuf {
    Path::new(table::SOURCES).join(defence.file)
}

fn read(root: &Path, defence: &Defence) -> Result<String> {
    let path = root.join(file_of(defence));
    fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
}

/// The text of its file without the defence; an error if that is not in it exactly once.
fn weakened(source: &str, defence: &Defence) -> Result<String> {
    match source.matches(defence.text).count() {
        1 => Ok(source.replacen(defence.text, defence.instead, 1)),
        count => bail!(
            "{}: its text is {count} times in {}, not once: bring xtask/src/defences/table.rs \
             up to date",
            defence.name,
            file_of(defence).display()
        ),
    }
}

/// With everything in place the tests pass, so that their failing means something.
fn baseline(workspace: &Workspace, scratch: &Scratch, chosen: &[&Defence]) -> Result<()> {
    for program in Test::PROGRAMS {
        let names: BTreeSet<_> = chosen
            .iter()
            .filter(|defence| defence.test.program() == program)
            .map(|defence| defence.test.name())
            .collect();
        if names.is_empty() {
            continue;
        }
        let built = scratch.build(program)?;
        let (status, output) = in_guest(workspace, &built, &all_of(&built, &names))?;
        if status != 0 {
            bail!("with all defences in place, a test fails:\n{output}");
        }
        say(&format!("{program}: {} tests pass with all defences in place", names.len()))?;
    }
    Ok(())
}

/// A shell's command that runs tests one by one.
fn all_of(program: &Path, names: &BTreeSet<String>) -> String {
    let runs = names.iter().map(|name| run_one(program, name));
    let runs: Vec<_> = runs.map(|run| format!("{run} || status=1")).collect();
    format!("status=0; {}; exit $status", runs.join("; "))
}

/// The same for one, which counts only if there is such a test.
fn run_one(program: &Path, name: &str) -> String {
    format!("{} --exact {name} --test-threads=1", program.display())
}

fn try_without(workspace: &Workspace, scratch: &Scratch, defence: &Defence) -> Result<Verdict> {
    let file = file_of(defence);
    // The copy's own, since the sources may be worked on meanwhile.
    let original = read(scratch.sources(), defence)?;
    scratch.put(&file, &weakened(&original, defence)?)?;
    let built = scratch.build(defence.test.program());
    scratch.put(&file, &original)?;
    let built = built.with_context(|| format!("without {}", defence.name))?;
    let ended = in_guest(workspace, &built, &run_one(&built, &defence.test.name()));
    Ok(match ended {
        Ok((status, output)) => Verdict::of(status, &output),
        Err(error) => Verdict::Unclear(format!("{error:#}")),
    })
}

/// Runs a shell's command in a guest that has the program: its exit status and output.
fn in_guest(workspace: &Workspace, program: &Path, command: &str) -> Result<(u8, String)> {
    let guest = Guest {
        kernel: None,
        cpus: 2,
        memory: 2048,
        accelerator: Accelerator::Tcg,
        timeout: TIMEOUT,
        files: vec![program.to_owned()],
        variables: Vec::new(),
        input: Vec::new(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), command.into()],
    };
    let mut output = Vec::new();
    let status = guest.run(workspace, |_: Stream, bytes| {
        output.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok((status, String::from_utf8_lossy(&output).into_owned()))
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("could not print")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::table::DEFENCES;
    use super::{Workspace, choose, read, weakened};

    #[test]
    fn every_defence_is_where_the_table_says() {
        let workspace = Workspace::load().unwrap();
        for defence in DEFENCES {
            let weak = weakened(&read(workspace.root(), defence).unwrap(), defence).unwrap();
            assert!(!weak.is_empty() && defence.text != defence.instead, "{}", defence.name);
        }
    }

    #[test]
    fn names_are_unlike_each_other() {
        let names: HashSet<_> = DEFENCES.iter().map(|defence| defence.name).collect();
        assert_eq!(names.len(), DEFENCES.len());
        assert!(choose(&["no such defence".to_owned()]).is_err());
    }
}
