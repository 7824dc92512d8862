//! `cargo xtask defences`: shows that a test fails without each defence of protection keys and of
//! verified code.
//!
//! Each defence is removed from a copy of the sources, while all others stay. Then the one test
//! that must notice runs, in a guest if it needs keys, and has to fail. Everything is built under
//! `target/defences`.

mod scratch;
mod table;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use self::scratch::Scratch;
use self::table::{DEFENCES, Defence, Place, Program, Test};
use self::verdict::{END, Verdict};
use crate::guest::{self, Accelerator, Arch, Guest, Stream};
use crate::workspace::Workspace;

/// The options of `cargo xtask defences`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Try only defences whose names contain this text (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Only check that the text of each defence occurs once in its file
    #[arg(long)]
    check: bool,

    /// Remove up to this many unrelated defences at once, which is faster and less exact
    #[arg(long, value_name = "N", default_value_t = 1)]
    together: usize,

    /// Skip the run with all defences in place, in which all tests have to pass
    #[arg(long)]
    no_baseline: bool,
}

/// The time limit for one test in a guest, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Tries the defences, and fails if no test notices that one is missing.
///
/// `asked` is true if the user passed `--install`.
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
    if chosen.iter().any(|defence| defence.test.program().place == Place::Guest) {
        guest::prepare(&workspace, asked)?;
    }
    let scratch = Scratch::prepare(&workspace)?;
    if !options.no_baseline {
        baseline(&workspace, &scratch, &chosen)?;
    }
    let mut unnoticed = 0;
    for group in groups(&chosen, options.together) {
        let verdicts = try_group(&workspace, &scratch, &group)?;
        for (defence, verdict) in group.iter().zip(verdicts) {
            unnoticed += usize::from(!verdict.is_failure());
            say(&format!("{}: {}", defence.name, verdict.about(&defence.test.to_string())))?;
        }
    }
    say(&format!("\n{} noticed, {unnoticed} not", chosen.len() - unnoticed))?;
    Ok(if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Groups of at most `size` defences that are not neighbours in the table, and so are unrelated. A
/// defence without which nothing works is in a group of its own.
fn groups<'a>(chosen: &[&'a Defence], size: usize) -> Vec<Vec<&'a Defence>> {
    let (basic, others): (Vec<_>, Vec<_>) = chosen.iter().partition(|defence| defence.is_basic);
    let count = others.len().div_ceil(size.max(1));
    let group = |first| others.iter().skip(first).step_by(count).copied().collect();
    let alone = basic.into_iter().map(|defence| vec![defence]);
    (0..count).map(group).chain(alone).collect()
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

/// The path of a defence's file, relative to the root of the sources.
fn file_of(defence: &Defence) -> PathBuf {
    Path::new(table::SOURCES).join(defence.file)
}

fn read(root: &Path, defence: &Defence) -> Result<String> {
    let path = root.join(file_of(defence));
    fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
}

/// The file's text without the defence. An error if the defence does not occur exactly once in it.
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

/// Checks that the tests pass with all defences in place. Otherwise their failing means nothing.
fn baseline(workspace: &Workspace, scratch: &Scratch, chosen: &[&Defence]) -> Result<()> {
    for program in Test::PROGRAMS {
        let names = names_of(chosen, program);
        if names.is_empty() {
            continue;
        }
        let verdicts = run_tests(workspace, program, &scratch.build(program)?, &names)?;
        for (name, verdict) in &verdicts {
            if *verdict != Verdict::Passed {
                bail!("with all defences in place, {}", verdict.about(name));
            }
        }
        say(&format!("{program}: {} tests pass with all defences in place", names.len()))?;
    }
    Ok(())
}

fn names_of(defences: &[&Defence], program: Program) -> BTreeSet<String> {
    let tests = defences.iter().map(|defence| defence.test);
    tests.filter(|test| test.program() == program).map(Test::name).collect()
}

/// Runs the tests without these defences. If they cannot all be removed together, removes each half
/// of them.
fn try_group(workspace: &Workspace, scratch: &Scratch, group: &[&Defence]) -> Result<Vec<Verdict>> {
    let verdicts = try_without(workspace, scratch, group)?;
    let is_unclear = verdicts.iter().all(|verdict| matches!(verdict, Verdict::Unclear(_)));
    if !is_unclear || group.len() == 1 {
        return Ok(verdicts);
    }
    let (first, second) = group.split_at(group.len() / 2);
    let mut verdicts = try_group(workspace, scratch, first)?;
    verdicts.extend(try_group(workspace, scratch, second)?);
    Ok(verdicts)
}

/// Runs the tests without these defences, none of which depends on another. If there are several,
/// the control tests must pass.
fn try_without(
    workspace: &Workspace,
    scratch: &Scratch,
    group: &[&Defence],
) -> Result<Vec<Verdict>> {
    // The copy's text is used, since the sources may change meanwhile.
    let mut originals = BTreeMap::new();
    for defence in group {
        let before = read(scratch.sources(), defence)?;
        scratch.put(&file_of(defence), &weakened(&before, defence)?)?;
        originals.entry(file_of(defence)).or_insert(before);
    }
    let mut verdicts = BTreeMap::new();
    let outcome = Test::PROGRAMS.into_iter().try_for_each(|program| {
        let mut names = names_of(group, program);
        if names.is_empty() {
            return Ok(());
        }
        let built = scratch.build(program)?;
        let controls: &[Test] = if group.len() > 1 { program.controls } else { &[] };
        names.extend(controls.iter().map(|test| test.name()));
        verdicts.extend(run_tests(workspace, program, &built, &names)?);
        let broken =
            controls.iter().find(|test| verdicts.get(&test.name()) != Some(&Verdict::Passed));
        broken.map_or(Ok(()), |test| {
            Err(anyhow!("{test} fails: these defences cannot be removed together"))
        })
    });
    originals.iter().try_for_each(|(file, text)| scratch.put(file, text))?;
    let all = group.iter().map(|defence| match &outcome {
        Ok(()) => verdicts.get(&defence.test.name()).cloned().unwrap_or_else(Verdict::missing),
        Err(error) => Verdict::Unclear(format!("{error:#}")),
    });
    Ok(all.collect())
}

/// Runs tests one by one, each in a process of its own.
fn run_tests(
    workspace: &Workspace,
    program: Program,
    built: &Path,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Verdict>> {
    // A guest has a time limit of its own.
    let limit = match program.place {
        Place::Guest => String::new(),
        Place::Here => format!("timeout -k 5 {} ", TIMEOUT.as_secs()),
    };
    let runs = names.iter().map(|name| {
        format!(
            "{limit}{} --exact {name} --test-threads=1; status=$?; echo; \
             echo {END} $status {name}",
            built.display()
        )
    });
    let script = runs.collect::<Vec<_>>().join("\n");
    match program.place {
        Place::Guest => in_guest(workspace, built, script),
        Place::Here => here(&script),
    }
}

/// Runs a script on this machine.
fn here(script: &str) -> Result<BTreeMap<String, Verdict>> {
    let output = Command::new("sh").args(["-c", script]).output().context("could not start sh")?;
    Ok(verdict::all(&String::from_utf8_lossy(&output.stdout)))
}

/// Runs a script in a guest that contains a program.
fn in_guest(
    workspace: &Workspace,
    program: &Path,
    script: String,
) -> Result<BTreeMap<String, Verdict>> {
    let guest = Guest {
        arch: Arch::X86_64,
        kernel: None,
        cpus: 2,
        memory: 2048,
        accelerator: Accelerator::Tcg,
        timeout: TIMEOUT,
        root: PathBuf::from("/"),
        files: vec![program.to_owned()],
        variables: Vec::new(),
        input: Vec::new(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
    };
    let mut output = Vec::new();
    let ended = guest.run(workspace, |stream, bytes| {
        if stream == Stream::Out {
            output.extend_from_slice(bytes);
        }
        Ok(())
    });
    let verdicts = verdict::all(&String::from_utf8_lossy(&output));
    // Tests that ran before the machine failed count.
    ended.map(drop).or_else(|error| if verdicts.is_empty() { Err(error) } else { Ok(()) })?;
    Ok(verdicts)
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("could not print")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::table::DEFENCES;
    use super::{Workspace, choose, groups, read, weakened};

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
        let chosen = choose(&[]).unwrap();
        let in_groups = groups(&chosen, 7);
        assert_eq!(in_groups.iter().map(Vec::len).sum::<usize>(), DEFENCES.len());
        assert!(in_groups.iter().all(|group| group.len() <= 7));
        assert!(choose(&["no such defence".to_owned()]).is_err());
    }
}
