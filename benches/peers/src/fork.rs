//! A forked process for each call, by the crate mem-isolate. The child has a copy of the host's
//! memory, and sends the result back.

use anyhow::{Result, ensure};
use mem_isolate::execute_in_isolated_process;
use omniglot_turns::Variant;

use crate::jobs::{Answer, Job};

pub(crate) fn variant(job: Job, expected: &Answer) -> Result<Variant> {
    let answer = execute_in_isolated_process(|| job.run())?;
    ensure!(answer == *expected, "another answer than plain FFI's");
    Ok(Variant::new("fork", move |count| {
        for _ in 0..count {
            let answer = execute_in_isolated_process(|| job.run())?;
            ensure!(!matches!(answer, Answer::Failed(_)), "the child fails: {answer:?}");
        }
        Ok(())
    }))
}
