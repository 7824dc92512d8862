//! The expected outcome of a library's cases, on any runtime.

use omniglot::Result;
use omniglot_abi::{CASES, Failure, Outcome, SEED, WIDE};

/// Runs a library's cases, and panics with all failures.
pub(crate) fn judge(run: impl FnOnce(&mut dyn FnMut(Outcome)) -> Result<()>) {
    let (mut count, mut failures) = (0, Vec::<Failure>::new());
    run(&mut |outcome| {
        count += 1;
        failures.extend(outcome.err());
    })
    .unwrap();
    println!("seed {SEED}: {count} cases, {} failed; with {WIDE:?}", failures.len());
    assert!(failures.is_empty(), "OMNIGLOT_ABI_SEED={SEED}: {failures:#?}");
    assert_eq!(count, CASES);
    // Every compiler for this machine supports these; the others are optional.
    for number in ["__int128", "long double", "double _Complex"] {
        assert!(WIDE.contains(&number), "{number} is not tried");
    }
}
