//! Runs the conformance suite with the process runtime: every case on a fresh worker.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot::{Isolation, Linux};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let topics = Suite::<Linux>::topics().into_iter();
    let trials = topics.flat_map(|(topic, cases)| cases.iter().map(move |case| trial(topic, case)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Makes a test of a case. It is ignored if the runtime does not claim its guarantee.
fn trial(topic: &str, case: &'static Case<Linux>) -> Trial {
    let name = format!("{topic}::{}", case.name);
    Trial::test(name, || run(case))
        .with_kind(format!("{:?}", case.guarantee))
        .with_ignored_flag(!case.is_claimed())
}

fn run(case: &Case<Linux>) -> Result<(), Failed> {
    let mut library = Conformance::builder()
        .isolation(Isolation::Process)
        .memory_limit(64 << 20)
        // A call that never ends then fails the test instead of hanging it.
        .timeout(Duration::from_secs(60))
        .build()?;
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
