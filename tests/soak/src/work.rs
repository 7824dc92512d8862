//! The work that instances do.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use omniglot::{Builder, Error, Isolation, Result};
use omniglot_conformance::conformance::{Conformance, IntCallback};

/// The limit on a call and on loading. Whatever takes longer hangs, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// Builds an instance in a worker process.
pub(crate) fn builder() -> Builder<Conformance> {
    Conformance::builder()
        .isolation(Isolation::Process)
        .memory_limit(64 << 20)
        .timeout(PATIENCE)
        .start_timeout(PATIENCE)
}

/// The kinds of work on an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    Call,
    Scope,
    Callback,
    Box,
    Fault,
    Panic,
}

impl Job {
    /// Returns a random kind, mostly one that succeeds.
    pub(crate) fn any(random: &mut fastrand::Rng) -> Self {
        match random.u8(..20) {
            0..8 => Self::Call,
            8..12 => Self::Scope,
            12..16 => Self::Callback,
            16..18 => Self::Box,
            18 => Self::Fault,
            _ => Self::Panic,
        }
    }

    /// Does the work. A wrong value is [`Error::Misuse`], which no sabotage explains.
    pub(crate) fn on(self, library: &mut Conformance) -> Result<()> {
        match self {
            Self::Call => expect(library.twice(21)? == 42),
            Self::Scope => scope(library),
            Self::Callback => callback(library),
            Self::Box => boxed(library),
            Self::Fault => fault(library),
            Self::Panic => panic(library),
        }
    }
}

fn expect(is_right: bool) -> Result<()> {
    if is_right { Ok(()) } else { Err(Error::Misuse("a wrong value")) }
}

fn scope(library: &mut Conformance) -> Result<()> {
    library.scope(|scope| {
        let numbers: Vec<i32> = (0..1000).collect();
        let numbers = scope.copy_in(&numbers)?;
        expect(scope.sum(numbers, numbers.len())? == 499_500)
    })
}

fn callback(library: &mut Conformance) -> Result<()> {
    library.scope(|scope| {
        let nested = scope.callback::<IntCallback>(|api, value| Ok(api.twice(value)?))?;
        expect(scope.call_and_add(nested, 20)? == 41)
    })
}

fn boxed(library: &mut Conformance) -> Result<()> {
    let numbers = library.alloc_slice(&[1_i32, 2, 3])?;
    expect(library.sum(&numbers, 3)? == 6)?;
    library.count_up(&numbers, 3, 5)?;
    expect(library.view_slice(&numbers)?[..] == [5, 6, 7])
}

/// A fault in the library. Later calls in this life are refused.
fn fault(library: &mut Conformance) -> Result<()> {
    match library.trap() {
        Err(_) => expect(library.poisoned().is_some()),
        Ok(()) => expect(false),
    }
}

/// A panic in a callback.
fn panic(library: &mut Conformance) -> Result<()> {
    let run = || {
        library.scope(|scope| {
            let panics = scope.callback::<IntCallback>(|_, _| resume_unwind(Box::new(())))?;
            scope.call_int(panics, 1)
        })
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        // The worker exited first.
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) => expect(false),
        Err(_) => expect(library.poisoned().is_some()),
    }
}
