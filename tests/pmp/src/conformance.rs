//! Runs the conformance suite with the PMP runtime: every case on a fresh domain.
#![allow(unsafe_code)]

use core::time::Duration;

use omniglot::{Library, Result};
use omniglot_conformance::conformance::Conformance;
use omniglot_conformance::{Case, Suite, Verdict};
use omniglot_pmp::Pmp;

use crate::board::{Board, conformance_region};
use crate::tally::Tally;

/// Runs all cases.
pub(crate) fn run(tally: &mut Tally) {
    for (topic, cases) in Suite::<Pmp<Board>>::topics() {
        for case in cases {
            let name = format_args!("{topic}::{}", case.name);
            match run_case(case) {
                Ok(Verdict::Passed) => tally.result::<&str>(name, Ok(())),
                Ok(Verdict::Skipped) => tally.ignored(name),
                Ok(Verdict::Failed(failure)) => tally.result(name, Err(failure)),
                Err(error) => tally.result(name, Err(error)),
            }
        }
    }
}

fn run_case(case: &Case<Pmp<Board>>) -> Result<Verdict> {
    let mut library = fresh()?;
    Ok(case.run(&mut library))
}

/// Makes a fresh domain of the conformance library.
pub(crate) fn fresh() -> Result<Conformance<Pmp<Board>>> {
    // SAFETY: the callers drop the domain before they request another.
    let region = unsafe { conformance_region() };
    let pmp = Pmp::start(Board, region, &Conformance::<Pmp<Board>>::DESCRIPTION)?;
    let mut library = Conformance::from_runtime(pmp);
    library.set_timeout(Some(Duration::from_secs(60)));
    Ok(library)
}
