//! The subjects: what runs while loads are changed.

use std::time::Duration;

use omniglot::{
    Error, FaultKind, FileSource, FnPtr, Isolation, Library, Linux, Options, Permission, Runtime,
};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};
use omniglot_demo::{Decoder, Picture};
use omniglot_verify::layout;

use crate::bare::{self, unprotected};
use crate::values;

/// The time limit of a call that may not return because a value was changed.
const TIMEOUT: Duration = Duration::from_millis(200);
/// The time limit of a call when nothing is changed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cases that call without a time limit. They would hang if an answer or a wake-up were lost.
const UNLIMITED: [&str; 1] = ["time_limits_can_be_lifted"];

/// Something that can be run repeatedly.
pub(crate) struct Subject {
    pub(crate) name: String,
    /// Runs it on a fresh instance. `Err` describes an unexpected result, which only matters if
    /// nothing was changed.
    pub(crate) run: Box<dyn Fn(Duration) -> Result<(), String>>,
}

impl Subject {
    fn new(
        name: impl Into<String>,
        run: impl Fn(Duration) -> Result<(), String> + 'static,
    ) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// Runs it without faults.
    pub(crate) fn check(&self) -> Result<(), String> {
        (self.run)(PATIENCE)
    }

    /// Runs it with the faults of the thread's current plan.
    pub(crate) fn try_out(&self) {
        let _ = (self.run)(TIMEOUT);
    }
}

/// Lists the names of the trials.
pub(crate) fn trials() -> Vec<String> {
    let topics = Suite::<Linux>::topics().map(|(topic, _)| topic);
    let cases = ["process", "unprotected"].into_iter();
    let cases = cases.flat_map(|runtime| topics.map(|topic| format!("{runtime}::{topic}")));
    // These cases include every read of verified code's memory by the host.
    let sfi =
        ["sfi::requests", "sfi::callbacks", "sfi::containment", "sfi::memory", "sfi::nesting"];
    let others = ["process::values", "unprotected::values", "process::starts", "process::libpng"];
    cases.chain(sfi.into_iter().chain(others).map(str::to_owned)).collect()
}

/// Returns the subjects of a trial.
pub(crate) fn of(trial: &str) -> Vec<Subject> {
    match trial {
        "process::values" => values(|timeout| in_process(timeout, false)),
        "unprotected::values" => values(unprotected),
        "process::starts" => starts(),
        "process::libpng" => vec![Subject::new("a picture", decode)],
        _ => match trial.split_once("::") {
            Some(("process", topic)) => cases(topic, |timeout| in_process(timeout, false)),
            Some(("sfi", "requests")) => vec![
                Subject::new("an abort", abort),
                Subject::new("memory that is given back", |timeout| give_back(verified(timeout)?)),
            ],
            Some(("sfi", topic)) => cases(topic, verified),
            Some((_, topic)) => cases(topic, unprotected),
            None => Vec::new(),
        },
    }
}

fn cases<R: Runtime>(
    topic: &str,
    make: impl Fn(Duration) -> Result<Conformance<R>, String> + Copy + 'static,
) -> Vec<Subject> {
    let topics = Suite::<R>::topics();
    let cases = topics.into_iter().filter(|(name, _)| *name == topic).flat_map(|(_, cases)| cases);
    let claimed = cases.filter(|case| case.is_claimed() && !UNLIMITED.contains(&case.name));
    let subject = |case: &'static Case<R>| {
        Subject::new(case.name, move |timeout| match case.run(&mut make(timeout)?) {
            Verdict::Passed | Verdict::Skipped => Ok(()),
            Verdict::Failed(failure) => Err(failure.to_string()),
        })
    };
    claimed.map(subject).collect()
}

fn values<R: Runtime>(
    make: impl Fn(Duration) -> Result<Conformance<R>, String> + Copy + 'static,
) -> Vec<Subject> {
    let subject = |(name, way): (&str, values::Way<R>)| {
        Subject::new(name, move |timeout| way(&mut make(timeout)?).map_err(text))
    };
    values::ways().into_iter().map(subject).collect()
}

/// Failing starts, resets, files that the host opens for a worker, and the requests and messages of
/// the worker's system-call server.
fn starts() -> Vec<Subject> {
    let call = |library: &mut Conformance<Linux>| library.negate(true).map(drop);
    let reset = move |timeout| {
        let mut library = in_process(timeout, false)?;
        call(&mut library)
            .and_then(|()| library.reset())
            .and_then(|()| call(&mut library))
            .map_err(text)
    };
    let with_files = move |timeout| call(&mut in_process(timeout, true)?).map_err(text);
    let trap =
        |timeout| in_process(timeout, false)?.trap().map_or(Ok(()), |()| Err("no trap".into()));
    let missing =
        |timeout| match start(timeout, |options| options.libraries = vec!["none.so".into()]) {
            Err(_) => Ok(()),
            Ok(_) => Err("a library that is not there".to_owned()),
        };
    // The C library writes why it aborts.
    let last_words = |timeout| {
        let mut library = in_process(timeout, false)?;
        let block = library.malloc::<u8>(24).map_err(text)?;
        let twice = library.free(&block).and_then(|()| library.free(&block));
        match twice {
            Err(Error::Fault(fault)) if fault.kind == FaultKind::Abort => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    let world = |timeout| {
        let files = vec![("/etc/small.conf".into(), FileSource::from(b"a = 1\n"))];
        let library = start(timeout, |options| options.files = files)?;
        let asked = library.runtime().requests().and_then(|_| library.runtime().output());
        asked.map(drop).map_err(text)
    };
    vec![
        Subject::new("memory that is given back", |timeout| give_back(in_process(timeout, false)?)),
        Subject::new("what was asked for and said", world),
        Subject::new("what was said before an abort", last_words),
        Subject::new("a reset", reset),
        Subject::new("files that the host opens", with_files),
        Subject::new("a report of a fault", trap),
        Subject::new("a report of loading", missing),
    ]
}

/// Starts the library in a worker. `with_files` permits standard error, here a pipe, and makes the
/// host open the worker's files.
fn in_process(timeout: Duration, with_files: bool) -> Result<Conformance<Linux>, String> {
    start(timeout, |options| {
        if with_files {
            options.allow = options.allow.with(Permission::Stderr);
        }
    })
}

/// Starts verified code in this process.
fn verified(timeout: Duration) -> Result<Conformance<Linux>, String> {
    start(timeout, |options| options.isolation = Isolation::Sfi)
}

/// Has the library free so much memory, more than 32 MiB, that its server gives it back.
fn give_back(mut library: Conformance<Linux>) -> Result<(), String> {
    library.malloc::<u8>(48 << 20).and_then(|block| library.free(block)).map_err(text)
}

/// Calls the gate for `abort` as if it were a callback.
fn abort(timeout: Duration) -> Result<(), String> {
    let gate = FnPtr::from_addr(layout::GATE_ABORT as usize);
    match verified(timeout)?.call_int(gate, 1) {
        Err(Error::Fault(fault)) if fault.kind == FaultKind::Abort => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn start(
    timeout: Duration,
    change: impl FnOnce(&mut Options),
) -> Result<Conformance<Linux>, String> {
    let mut options = bare::options(timeout);
    options.isolation = Isolation::Process;
    change(&mut options);
    let description = &Conformance::<Linux>::DESCRIPTION;
    let runtime = Linux::start(description, &options).map_err(text)?;
    Ok(Conformance::from_runtime(runtime))
}

fn decode(_: Duration) -> Result<(), String> {
    let picture = Picture { width: 3, height: 2, rgba: (0..24).collect() };
    let mut file = Vec::new();
    picture.write_png(&mut file).map_err(text)?;
    let mut decoder = Decoder::new().map_err(text)?;
    let decoded = decoder.decode(&file).map_err(text)?;
    if decoded == picture { Ok(()) } else { Err("another picture".to_owned()) }
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
