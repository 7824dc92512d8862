//! Every signature in the host's own process, without protection.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic, unsafe_code)]

use omniglot::{Library as _, Options, Unprotected};
use omniglot_abi::{Outcome, SEED, libraries};

/// Cases of one library: 256 signatures, of which 64 also call back and by address.
const CASES: usize = 256 + 2 * 64;

fn judge(outcomes: &[Outcome]) {
    let failed: Vec<&String> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    println!("seed {SEED}: {} cases, {} failed", outcomes.len(), failed.len());
    assert!(failed.is_empty(), "OMNIGLOT_ABI_SEED={SEED}: {failed:#?}");
    assert_eq!(outcomes.len(), CASES);
}

macro_rules! libraries {
    ($($module:ident)*) => { $(
        #[test]
        fn $module() {
            type Library = libraries::$module::Library<Unprotected>;
            // SAFETY: the generated library writes no memory but its own.
            let runtime = unsafe { Unprotected::start(&Library::DESCRIPTION, &Options::default()) };
            let mut library = Library::from_runtime(runtime.unwrap());
            judge(&libraries::$module::run(&mut library).unwrap());
        }
    )* };
}

libraries!(abi0 abi1 abi2 abi3 abi4 abi5 abi6 abi7);
