//! The corpus as tests: each library in each place, with the result that is expected there.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use real_subject::Subject;

use crate::measure::{Where, apart};
use crate::subjects;

/// Runs the tests whose names match, as `cargo test` would.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let name = std::iter::once("real".to_owned());
    let arguments = Arguments::from_iter(name.chain(words.iter().cloned()));
    let trials = subjects().flat_map(|subject| {
        [Where::Process, Where::InProcess, Where::Sandboxed].map(|place| {
            Trial::test(format!("{}::{place}", subject.name), move || test(subject, place))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A library that is listed as not working must fail, so that the list stays true.
fn test(subject: &Subject, place: Where) -> Result<(), Failed> {
    let outcome = apart(subject, place)?;
    let refused = match place {
        Where::Process => subject.refused,
        Where::InProcess => subject.not_in_process,
        Where::Sandboxed => subject.not_sandboxed,
        Where::Plain => None,
    };
    match (outcome.failure, refused) {
        (None, None) | (Some(_), Some(_)) => Ok(()),
        (Some(failure), None) => Err(failure.into()),
        (None, Some(reason)) => Err(format!("it works, although {reason}").into()),
    }
}
