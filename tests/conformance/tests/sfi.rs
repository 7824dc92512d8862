//! Runs the conformance suite with verified code in this process, every case in a fresh region; and
//! a library whose every function attacks its host.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

#[path = "attacks/mod.rs"]
mod attacks;

use std::process::ExitCode;
use std::time::Duration;

use attacks::home::{Home, options};
use libtest_mimic::{Arguments, Failed, Trial};
use omniglot::{Description, InterruptHandle, Isolation, IsolationKind, Linux, Sfi};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};

/// Verified code, under attack.
const UNDER_ATTACK: Home<Sfi> = Home {
    prefix: "sfi::",
    isolation: IsolationKind::Sfi,
    start: start_under_attack,
    interrupt: InterruptHandle::interrupt,
};

fn start_under_attack(description: &Description) -> omniglot::Result<Sfi> {
    Sfi::start(description, &options())
}

fn main() -> ExitCode {
    let attacks = attacks::trials(UNDER_ATTACK);
    if attacks::isolated::is_serving() {
        return attacks::isolated::serve();
    }
    let topics = Suite::<Linux>::topics().into_iter();
    let cases = topics.flat_map(|(topic, cases)| cases.iter().map(move |case| trial(topic, case)));
    let trials = cases.chain(attacks).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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
        .isolation(Isolation::Sfi)
        .memory_limit(64 << 20)
        // A call that never ends then fails the test instead of hanging it.
        .timeout(Duration::from_secs(60))
        .build()?;
    match case.run(&mut library) {
        Verdict::Passed | Verdict::Skipped => Ok(()),
        Verdict::Failed(failure) => Err(failure.to_string().into()),
    }
}
