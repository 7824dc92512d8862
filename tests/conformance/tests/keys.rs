//! The conformance suite over protection keys: every case on a fresh domain.
//!
//! On a machine without keys every case is ignored; `cargo xtask guest` runs this program
//! on one that has them.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot::{Library, Options, ProtectionKeys};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = ProtectionKeys::check().err();
    if let Some(missing) = missing {
        eprintln!("NOT TESTED here: protection keys ({missing})");
    }
    let topics = Suite::<ProtectionKeys>::topics().into_iter();
    let trials = topics.flat_map(|(topic, cases)| {
        cases.iter().map(move |case| trial(topic, case, missing.is_some()))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(topic: &str, case: &'static Case<ProtectionKeys>, is_missing: bool) -> Trial {
    let name = format!("{topic}::{}", case.name);
    Trial::test(name, || run(case))
        .with_kind(format!("{:?}", case.guarantee))
        .with_ignored_flag(is_missing || !case.is_claimed())
}

fn run(case: &Case<ProtectionKeys>) -> Result<(), Failed> {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    // A virtual machine may be a hundred times slower than this one.
    options.start_timeout = Duration::from_secs(300);
    // A call that never ends is a failed test, not one that hangs.
    options.timeout = Some(Duration::from_secs(60));
    let description = &Conformance::<ProtectionKeys>::DESCRIPTION;
    let mut library = Conformance::from_runtime(ProtectionKeys::start(description, &options)?);
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
