//! Attacks: a library whose every function attacks, and the required outcomes.
//!
//! Around every attack, the kernel's memory is full of patterns, whose addresses the attack may
//! use. Afterwards every byte of them is checked. A neighbour (another domain) must have kept its
//! data and work. The attacking instance must refuse calls if it is poisoned, a reset must succeed,
//! and a fresh instance must work.

mod instructions;
mod memory;
mod registers;
mod requests;

use core::fmt::{self, Display};
use core::time::Duration;

use omniglot::{Error, Fault, FaultKind, Library, Result, SliceMut};
use omniglot_conformance::conformance::Conformance;
use omniglot_pmp::Pmp;

use crate::board::{self, Board, hostile_region};
use crate::hostile::Hostile;
use crate::tally::Tally;
use crate::{canaries, conformance};

pub(crate) type Attacker = Hostile<Pmp<Board>>;
pub(crate) type Neighbour = Conformance<Pmp<Board>>;

/// Runs all attacks.
pub(crate) fn run(tally: &mut Tally) {
    let mut arena = match Arena::new() {
        Ok(arena) => arena,
        Err(error) => return tally.result("attacks", Err(error)),
    };
    memory::run(&mut arena, tally);
    instructions::run(&mut arena, tally);
    requests::run(&mut arena, tally);
    registers::run(&mut arena, tally);
}

/// The environment of the attacks.
pub(crate) struct Arena {
    neighbour: Neighbour,
    patterns: SliceMut<u8>,
    code: u32,
}

/// What was wrong with an attack's outcome.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// The call should have ended differently.
    Ended(&'static str, Result<()>),
    /// The kernel's memory changed.
    KernelMemory,
    /// The kernel's code or constants changed.
    KernelCode,
    /// The neighbour's memory changed, or it no longer works.
    Neighbour,
    /// The kernel's PMP entries were not restored.
    Protection,
    /// A poisoned instance still runs foreign code.
    StillRuns,
    /// A fresh instance does not work.
    DoesNotStart,
    /// An operation around the attack failed.
    Around(Error),
}

impl Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(wanted, Ok(())) => write!(out, "it was let through; {wanted} was expected"),
            Self::Ended(wanted, Err(error)) => write!(out, "{error}; {wanted} was expected"),
            Self::Around(error) => write!(out, "around the attack: {error}"),
            other => write!(out, "{other:?}"),
        }
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Around(error)
    }
}

/// The required outcome of an attack.
pub(crate) enum Must {
    /// A fault of this kind.
    Fault(FaultKind),
    /// A fault of this kind, at one of the eight bytes at this address.
    FaultAt(FaultKind, usize),
    /// An error that this function accepts.
    Err(&'static str, fn(&Error) -> bool),
    /// Success.
    Harmless,
}

impl Must {
    fn judge(&self, result: Result<()>) -> Result<(), Wrong> {
        let wanted = match self {
            Self::Fault(_) | Self::FaultAt(..) => "a fault",
            Self::Err(wanted, _) => wanted,
            Self::Harmless => "a harmless end",
        };
        let good = match (self, &result) {
            (Self::Fault(wanted), Err(Error::Fault(Fault { kind, .. }))) => kind == wanted,
            (Self::FaultAt(wanted, place), Err(Error::Fault(Fault { kind, address, .. }))) => {
                kind == wanted && address.wrapping_sub(*place) < 8
            }
            (Self::Err(_, wanted), Err(error)) => wanted(error),
            (Self::Harmless, Ok(())) => true,
            _ => false,
        };
        if good { Ok(()) } else { Err(Wrong::Ended(wanted, result)) }
    }
}

impl Arena {
    fn new() -> Result<Self> {
        let mut neighbour = conformance::fresh()?;
        let patterns = neighbour.malloc::<u8>(4096)?;
        canaries::fill();
        neighbour.write_slice(patterns, &canaries::pattern())?;
        Ok(Self { neighbour, patterns, code: canaries::code_checksum() })
    }

    /// Returns an address in the neighbour's RAM.
    pub(crate) fn neighbour(&self) -> usize {
        self.patterns.as_ptr().addr()
    }

    /// Runs one attack. Its changes remain visible when the patterns are checked later.
    pub(crate) fn attempt(
        &mut self,
        must: &Must,
        attack: impl FnOnce(&mut Attacker) -> Result<()>,
    ) -> Result<(), Wrong> {
        attempt(&mut fresh()?, must, attack)
    }

    /// Runs an attack with each number below `count`, and checks everything at the end.
    pub(crate) fn sweep(
        &mut self,
        count: u32,
        must: impl Fn(u32) -> Must,
        attack: impl Fn(&mut Attacker, u32) -> Result<()>,
    ) -> Result<(), Wrong> {
        let mut attacker = fresh()?;
        for number in 0..count {
            attempt(&mut attacker, &must(number), |api| attack(api, number))?;
        }
        self.check_thoroughly()
    }

    /// Runs one attack and reports it.
    pub(crate) fn attack(
        &mut self,
        tally: &mut Tally,
        name: impl Display,
        must: &Must,
        attack: impl FnOnce(&mut Attacker) -> Result<()>,
    ) {
        let result = self.attempt(must, attack).and_then(|()| self.check_thoroughly());
        tally.result(format_args!("attacks::{name}"), result);
    }

    /// Checks every byte of the patterns, and that the others still work.
    fn check(&mut self) -> Result<(), Wrong> {
        if !canaries::are_whole() {
            return Err(Wrong::KernelMemory);
        }
        let patterns = self.neighbour.view_slice(self.patterns)?;
        if *patterns != canaries::pattern() {
            return Err(Wrong::Neighbour);
        }
        Ok(())
    }

    /// The same, and also checks the kernel's code.
    pub(crate) fn check_thoroughly(&mut self) -> Result<(), Wrong> {
        self.check()?;
        if canaries::code_checksum() != self.code {
            return Err(Wrong::KernelCode);
        }
        if self.neighbour.echo_i32(77) != Ok(77) {
            return Err(Wrong::Neighbour);
        }
        let works = fresh()?.echo(5)? == 5;
        if works { Ok(()) } else { Err(Wrong::DoesNotStart) }
    }
}

/// Runs one attack from a domain, which is reset afterwards.
fn attempt(
    attacker: &mut Attacker,
    must: &Must,
    attack: impl FnOnce(&mut Attacker) -> Result<()>,
) -> Result<(), Wrong> {
    let protection = board::protection();
    let result = canaries::around_stack(|| attack(attacker))?;
    if board::protection() != protection {
        return Err(Wrong::Protection);
    }
    must.judge(result)?;
    if attacker.poisoned().is_some() && attacker.echo(1).is_ok() {
        return Err(Wrong::StillRuns);
    }
    attacker.reset()?;
    Ok(())
}

/// Makes a fresh domain of the hostile library.
pub(crate) fn fresh() -> Result<Attacker> {
    let mut attacker = Hostile::from_runtime(fresh_runtime()?);
    attacker.set_timeout(Some(Duration::from_secs(60)));
    Ok(attacker)
}

/// The same without the core's instance.
#[allow(unsafe_code)]
pub(crate) fn fresh_runtime() -> Result<Pmp<Board>> {
    // SAFETY: the callers drop the domain before they request another.
    let region = unsafe { hostile_region() };
    Pmp::start(Board, region, &Attacker::DESCRIPTION)
}
