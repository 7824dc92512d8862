//! Runs the conformance suite with the unprotected runtime: every case on a fresh domain.
//!
//! It does not claim the guarantee of memory, so the cases of that one are ignored.
#![allow(missing_docs, unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot::{Library, Options, Unprotected};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let topics = Suite::<Unprotected>::topics().into_iter();
    let trials = topics.flat_map(|(topic, cases)| cases.iter().map(move |case| trial(topic, case)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Makes a test of a case. It is ignored if the runtime does not claim its guarantee.
fn trial(topic: &str, case: &'static Case<Unprotected>) -> Trial {
    let name = format!("{topic}::{}", case.name);
    Trial::test(name, || run(case))
        .with_kind(format!("{:?}", case.guarantee))
        .with_ignored_flag(!case.is_claimed())
}

fn run(case: &Case<Unprotected>) -> Result<(), Failed> {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A call that never ends then fails the test instead of hanging it.
    options.timeout = Some(Duration::from_secs(60));
    // SAFETY: in these cases the suite's library writes only its own memory.
    let runtime =
        unsafe { Unprotected::start(&Conformance::<Unprotected>::DESCRIPTION, &options) }?;
    let mut library = Conformance::from_runtime(runtime);
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
