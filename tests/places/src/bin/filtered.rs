//! Starts a program under a filter of system calls, as containers and service managers have.
//!
//! `omniglot-filtered [--errno N] [--refuse CALL[:ARGUMENT&MASK=VALUE]]... -- PROGRAM ARGUMENTS`
//! refuses these calls, with ENOSYS unless another number is given: only those with an argument,
//! counted from 0, that has this value under that mask. With `--errno end` they end the process.
//!
//! `omniglot-filtered --only FILE [--errno N] [--also CALL]... -- PROGRAM ARGUMENTS` allows the calls
//! that the file names, one in a line, and refuses all others; without `--errno` they end the process.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use syscalls::Sysno;

/// `ENOSYS`.
const NO_SUCH_CALL: u32 = 38;

/// The system calls that a filter names; without rules, whatever their arguments are.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

#[derive(Default)]
struct Request {
    errno: Option<u32>,
    ends: bool,
    only: bool,
    calls: Calls,
    command: Vec<OsString>,
}

fn main() -> Result<()> {
    let request = parse(env::args_os().skip(1))?;
    let program = filter(&request)?;
    let (name, arguments) = request.command.split_first().context("there is no program")?;
    seccompiler::apply_filter(&program).context("this system accepts no filter")?;
    let error = Command::new(name).args(arguments).exec();
    Err(error).with_context(|| format!("could not start {}", name.display()))
}

fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Request> {
    let mut request = Request::default();
    while let Some(word) = words.next() {
        if word == "--" {
            request.command = words.collect();
            return Ok(request);
        }
        let value = words.next().and_then(|value| value.into_string().ok());
        let value = value.with_context(|| format!("{} has no value", word.display()))?;
        match word.to_str() {
            Some("--errno") if value == "end" => request.ends = true,
            Some("--errno") => request.errno = Some(value.parse()?),
            Some("--refuse") => refuse(&mut request.calls, &value)?,
            Some("--also") => add(&mut request.calls, &value),
            Some("--only") => {
                request.only = true;
                let names = fs::read_to_string(&value).with_context(|| value.clone())?;
                names.lines().for_each(|name| add(&mut request.calls, name));
            }
            _ => bail!("there is no option {}", word.display()),
        }
    }
    bail!("there is no program")
}

/// Names of other architectures have no number here.
fn add(calls: &mut Calls, name: &str) {
    if let Ok(number) = name.parse::<Sysno>() {
        calls.insert(i64::from(number.id()), Vec::new());
    }
}

fn refuse(calls: &mut Calls, text: &str) -> Result<()> {
    let (name, condition) = text.split_once(':').unwrap_or((text, ""));
    let number: Sysno = name.parse().map_err(|()| anyhow::anyhow!("there is no call {name}"))?;
    let rules = calls.entry(i64::from(number.id())).or_default();
    if !condition.is_empty() {
        rules.push(rule(condition).with_context(|| format!("{condition} is no condition"))?);
    }
    Ok(())
}

/// `ARGUMENT&MASK=VALUE`.
fn rule(text: &str) -> Option<SeccompRule> {
    let (argument, rest) = text.split_once('&')?;
    let (mask, value) = rest.split_once('=')?;
    let operator = SeccompCmpOp::MaskedEq(mask.parse().ok()?);
    let (argument, value) = (argument.parse().ok()?, value.parse().ok()?);
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
    SeccompRule::new(vec![condition.ok()?]).ok()
}

fn filter(request: &Request) -> Result<BpfProgram> {
    let (others, named) = match (request.only, request.errno) {
        (true, None) => (SeccompAction::KillProcess, SeccompAction::Allow),
        (true, Some(errno)) => (SeccompAction::Errno(errno), SeccompAction::Allow),
        (false, _) if request.ends => (SeccompAction::Allow, SeccompAction::KillProcess),
        (false, errno) => {
            (SeccompAction::Allow, SeccompAction::Errno(errno.unwrap_or(NO_SUCH_CALL)))
        }
    };
    let here: TargetArch = env::consts::ARCH.try_into().context("filters for this processor")?;
    let filter = SeccompFilter::new(request.calls.clone(), others, named, here)?;
    Ok(filter.try_into()?)
}
