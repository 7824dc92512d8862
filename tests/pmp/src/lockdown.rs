//! Machine-mode lockdown (Smepmp): machine mode cannot use entries for user mode, so entries
//! restrict the kernel too.
//!
//! These tests run instead of the others, on a hart with Smepmp: `cargo xtask emulate --lockdown
//! tests/pmp`.
#![allow(unsafe_code)]

use core::time::Duration;

use omniglot::{Cause, Error, Fault, FaultKind, Library, Result};
use omniglot_pmp::{After, ForeignRegion, Kernel, Pmp};

use crate::board::{self, Board, TICKS_PER_SECOND, address, hostile_region};
use crate::hostile::{Callback, Hostile};
use crate::tally::Tally;

/// The board in lockdown.
#[derive(Clone, Copy, Debug)]
struct Locked;

// SAFETY: as for `Board`, except that lockdown is enabled before any domain starts, by `lock_down`,
// whose locked entries are for machine mode only.
unsafe impl Kernel for Locked {
    const FIRST_ENTRY: usize = 1;
    const LOCKDOWN: bool = true;
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;

    fn now(&mut self) -> u64 {
        Board.now()
    }

    fn wake_at(&mut self, time: Option<u64>) {
        Board.wake_at(time);
    }

    fn interrupt(&mut self, number: u32) -> After {
        Board.interrupt(number)
    }
}

type Attacker = Hostile<Pmp<Locked>>;
type Test = fn(&mut Attacker) -> Result<bool>;

const TESTS: [(&str, Test); 7] = [
    ("calls_return", calls_return),
    ("callbacks_are_answered", callbacks_are_answered),
    ("memory_of_the_library_is_read_and_written", memory),
    ("nothing_outside_is_loaded", nothing_is_loaded),
    ("nothing_outside_is_stored", nothing_is_stored),
    ("nothing_outside_is_run", nothing_is_run),
    ("hangs_end", hangs_end),
];

/// Runs all of these tests.
pub(crate) fn run(tally: &mut Tally) {
    board::lock_down();
    tally.result("lockdown::it_is_on", right(Ok(board::is_locked_down())));
    for (name, test) in TESTS {
        let entries = board::protection();
        let outcome = fresh().and_then(|mut library| test(&mut library));
        let same = board::protection() == entries;
        let name = format_args!("lockdown::{name}");
        tally.result(name, right(outcome.map(|right| right && same)));
    }
    tally.result("lockdown::kernels_that_know_nothing_of_it_are_harmless", right(unaware()));
}

fn right(outcome: Result<bool>) -> Result<(), Error> {
    match outcome {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Misuse("it was otherwise, or entries were not put back")),
        Err(error) => Err(error),
    }
}

fn region() -> ForeignRegion {
    // SAFETY: each test's domain no longer exists when the next one starts.
    unsafe { hostile_region() }
}

fn fresh() -> Result<Attacker> {
    let runtime = Pmp::start(Locked, region(), &Attacker::DESCRIPTION)?;
    let mut library = Hostile::from_runtime(runtime);
    library.set_timeout(Some(Duration::from_secs(60)));
    Ok(library)
}

fn calls_return(library: &mut Attacker) -> Result<bool> {
    library.nothing()?;
    library.set_timeout(None);
    Ok(library.echo(17)? == 17)
}

fn callbacks_are_answered(library: &mut Attacker) -> Result<bool> {
    let mut calls = 0;
    let mut answer = |_: &mut _, value| {
        calls += 1;
        Ok(value)
    };
    library.with_callback::<Callback, _>(&mut answer, |api, function| {
        api.call_times(function, 5).map(drop)
    })??;
    Ok(calls == 5)
}

fn memory(library: &mut Attacker) -> Result<bool> {
    library.scope(|scope| {
        let (from, to) = (scope.copy_in(&[1_u32, 2, 3])?, scope.zeroed::<u32>(3)?);
        scope.copy(to.as_ptr().addr(), from.as_ptr().addr(), 12)?;
        Ok(*scope.view_slice(to)? == [1, 2, 3])
    })
}

/// Returns addresses that do not belong to the library: the kernel's code and stack, devices, and
/// addresses without memory.
fn outside() -> [usize; 8] {
    [
        board::code_range().0,
        board::stack_pointer(),
        address::SERIAL,
        address::CLINT,
        board::PLIC,
        0x8600_0000 - 4,
        0x8602_0000,
        0,
    ]
}

/// Returns true if every attempt is a fault that poisons the instance, and a reset makes it usable
/// again.
fn all_fault(
    library: &mut Attacker,
    mut attempt: impl FnMut(&mut Attacker, usize) -> Result<()>,
) -> Result<bool> {
    for address in outside() {
        let fault = attempt(library, address);
        let is_access = matches!(fault, Err(Error::Fault(Fault { kind: FaultKind::Access, .. })));
        if !is_access || library.poisoned() != Some(Cause::Fault) || library.echo(1).is_ok() {
            crate::say!("  {address:#x}: {fault:?}");
            return Ok(false);
        }
        library.reset()?;
    }
    Ok(library.echo(2)? == 2)
}

fn nothing_is_loaded(library: &mut Attacker) -> Result<bool> {
    all_fault(library, |library, address| library.load(address, 4).map(drop))
}

fn nothing_is_stored(library: &mut Attacker) -> Result<bool> {
    all_fault(library, |library, address| library.store(address, 4, 0))
}

fn nothing_is_run(library: &mut Attacker) -> Result<bool> {
    all_fault(library, |library, address| library.jump(address))
}

fn hangs_end(library: &mut Attacker) -> Result<bool> {
    let limit = Duration::from_millis(20);
    library.set_timeout(Some(limit));
    let ended = library.hash(u32::MAX);
    Ok(matches!(ended, Err(Error::Timeout { .. })))
}

/// A kernel that does not declare the lockdown: its domains are refused or confined. The locked
/// entries are closed to them in any case.
fn unaware() -> Result<bool> {
    let started = Pmp::start(Board, region(), &Attacker::DESCRIPTION);
    Ok(matches!(started, Err(Error::Unsupported { .. })))
}
