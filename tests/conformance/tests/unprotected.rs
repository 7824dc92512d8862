//! The conformance suite over the unprotected runtime: every case on a fresh domain.
//!
//! Cases of the guarantee that it does not claim, memory, are counted as ignored.
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

/// A test per case; one whose guarantee is not claimed is counted as ignored.
fn trial(topic: &str, case: &'static Case<Unprotected>) -> Trial {
    let name = format!("{topic}::{}", case.name);
    Trial::test(name, || run(case))
        .with_kind(format!("{:?}", case.guarantee))
        .with_ignored_flag(!case.is_claimed())
}

fn run(case: &Case<Unprotected>) -> Result<(), Failed> {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A call that never ends is a failed test, not one that hangs.
    options.timeout = Some(Duration::from_secs(60));
    // SAFETY: the suite's library writes no memory but its own in the cases that are run.
    let runtime =
        unsafe { Unprotected::start(&Conformance::<Unprotected>::DESCRIPTION, &options) }?;
    let mut library = Conformance::from_runtime(runtime);
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
