//! A kernel that only calls foreign code: every library of `tests/abi`, with 32-bit pointers and
//! `long`, in user mode behind RISC-V physical memory protection.
#![no_std]
#![no_main]

mod board;

use core::time::Duration;

use omniglot::{Library as _, Result};
use omniglot_abi::{CASES, Outcome, SEED, WIDE, libraries};
use omniglot_pmp::Pmp;

use board::Board;

#[riscv_rt::entry]
fn main() -> ! {
    board::interrupts_on();
    say!("seed {SEED}, with {WIDE:?}");
    let mut tally = Tally::default();
    for (name, run) in LIBRARIES {
        let mut cases = Cases::default();
        let end = run(&mut cases);
        tally.library(name, &cases, end);
    }
    tally.report();
    board::finish(tally.is_good())
}

macro_rules! libraries {
    ($($module:ident)*) => {
        /// The libraries, which run one after another in the only region.
        const LIBRARIES: &[(&str, fn(&mut Cases) -> Result<()>)] =
            &[$((stringify!($module), $module)),*];
        $(
        /// Runs every case of one library in a fresh domain.
        #[allow(unsafe_code)]
        fn $module(cases: &mut Cases) -> Result<()> {
            type Library = libraries::$module::Library<Pmp<Board>>;
            // SAFETY: the domain that used the region before has ended.
            let region = unsafe { board::region() };
            let pmp = Pmp::start(Board, region, &Library::DESCRIPTION)?;
            let mut library = Library::from_runtime(pmp);
            // A call that never ends then fails the test instead of hanging it.
            library.set_timeout(Some(Duration::from_secs(60)));
            libraries::$module::run(&mut library, |outcome| cases.judge(outcome))
        }
        )*
    };
}
libraries!(abi0 abi1 abi2 abi3 abi4 abi5 abi6 abi7);

/// The number of a library's cases that passed and failed.
#[derive(Debug, Default)]
struct Cases {
    ran: usize,
    failed: usize,
}

impl Cases {
    fn judge(&mut self, outcome: Outcome) {
        self.ran += 1;
        if let Err(failure) = outcome {
            say!("  {failure}");
            self.failed += 1;
        }
    }
}

/// The number of libraries that passed and failed.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Reports and counts a library, in the format of Rust's own test programs.
    fn library(&mut self, name: &str, cases: &Cases, end: Result<()>) {
        say!("  {name}: {} cases, {} failed", cases.ran, cases.failed);
        if let Err(error) = &end {
            say!("  {error}");
        }
        if end.is_ok() && cases.failed == 0 && cases.ran == CASES {
            say!("test {name} ... ok");
            self.passed += 1;
        } else {
            say!("test {name} ... FAILED");
            self.failed += 1;
        }
    }

    fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Prints the last line.
    fn report(&self) {
        let Self { passed, failed } = self;
        let verdict = if self.is_good() { "ok" } else { "FAILED" };
        say!(
            "test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; \
             0 measured; 0 filtered out"
        );
    }
}
