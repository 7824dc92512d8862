//! What an attack is, and how one is run.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, FaultKind, Isolation, Linux, Result, Runtime};

use super::canaries::{Targets, with_canaries};
use super::hostile::{self, Hostile};

pub(crate) type Api = hostile::Api<Linux>;

/// The host's side of an attack: whether it did harm.
type Body = Box<dyn FnOnce(&mut Api, &Targets) -> Result<bool> + Send>;

/// One entry of a table.
pub(crate) struct Attack {
    name: String,
    must: Must,
    body: Body,
}

/// What must come of an attack. That it does no harm is understood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Must {
    /// A fault of one of these kinds.
    Fault(&'static [FaultKind]),
    /// A denied system call of this name.
    Deny(&'static str),
    /// The library's process ends by itself, with this status.
    Exit(i32),
    /// The call runs out of time.
    TimeOut,
    /// An invalid value.
    BeInvalid,
    /// An address outside the library's memory.
    BeOutside,
    /// Some error, one that this accepts.
    Fail(fn(&Error) -> bool),
    /// A result that does no harm.
    Pass,
    /// An error or a result that does no harm: both are right.
    EndSomehow,
}

/// Any error at all.
pub(crate) const ANYHOW: Must = Must::Fail(|_| true);
/// A forbidden access.
pub(crate) const ACCESS: Must = Must::Fault(&[FaultKind::Access]);
/// A fault of any kind.
pub(crate) const FAULT: Must = Must::Fail(|error| matches!(error, Error::Fault(_)));
/// A broken protocol.
pub(crate) const PROTOCOL: Must = Must::Fail(|error| matches!(error, Error::Protocol(_)));

/// Describes an attack.
pub(crate) fn attack(
    name: impl Into<String>,
    must: Must,
    body: impl FnOnce(&mut Api, &Targets) -> Result<bool> + Send + 'static,
) -> Attack {
    Attack { name: name.into(), must, body: Box::new(body) }
}

/// A fresh instance.
pub(crate) fn instance() -> Result<Hostile> {
    let builder = Hostile::builder().isolation(Isolation::Process).memory_limit(64 << 20);
    // A call that never ends is a failed test, not one that hangs.
    builder.timeout(Duration::from_secs(30)).build()
}

/// Where the call channel is in the window: `CHANNEL_OFFSET` of the worker's `control.h`.
pub(crate) const CHANNEL: usize = 0x1_0000;
/// A place for a callback's arguments, in memory that the host allocates from later.
pub(crate) const ROOM: usize = CHANNEL + 0x1000;

/// Where the library's memory starts.
pub(crate) fn window(api: &Api) -> usize {
    api.runtime().window().start()
}

/// Limits calls that are known to run on for ever.
pub(crate) fn limit(api: &mut Api) {
    api.set_timeout(Some(Duration::from_millis(50)));
}

impl Attack {
    pub(crate) fn into_trial(self) -> Trial {
        Trial::test(self.name.clone(), move || self.run())
    }

    fn run(self) -> Result<(), Failed> {
        let must = self.must;
        with_canaries(|canaries| {
            let mut library = instance()?;
            let outcome = (self.body)(&mut library, &canaries.targets());
            must.check(&outcome)?;
            check_aftermath(library, outcome.err())
        })??;
        check_fresh_instance()
    }
}

impl Must {
    fn check(self, outcome: &Result<bool>) -> Result<(), Failed> {
        let right = match (self, outcome) {
            (_, Ok(true)) => return Err("the attack succeeded".into()),
            (Self::Fault(kinds), Err(Error::Fault(fault))) => kinds.contains(&fault.kind),
            (Self::Deny(wanted), Err(Error::SyscallDenied { name, .. })) => *name == wanted,
            (Self::Exit(wanted), Err(Error::Exited { status })) => *status == Some(wanted),
            (Self::Fail(accepts), Err(error)) => accepts(error),
            (Self::TimeOut, Err(Error::Timeout { .. }))
            | (Self::BeInvalid, Err(Error::InvalidValue(_)))
            | (Self::BeOutside, Err(Error::OutOfRange { .. }))
            | (Self::Pass, Ok(false))
            | (Self::EndSomehow, _) => true,
            _ => false,
        };
        if right { Ok(()) } else { Err(format!("{outcome:?} where it must be {self:?}").into()) }
    }
}

/// After an error that poisons, no foreign code runs; otherwise whatever the
/// library does now, each call ends.
fn check_aftermath(mut library: Hostile, error: Option<Error>) -> Result<(), Failed> {
    let poisons = error.and_then(|error| error.poisons());
    limit(&mut library);
    let next = library.add(2, 3);
    match (poisons, library.poisoned(), next) {
        (Some(_), None, _) => Err("a poisoning error left the instance usable".into()),
        (Some(_), Some(by), Err(Error::Poisoned { by: said })) if by == said => Ok(()),
        (Some(_), Some(_), next) => Err(format!("a poisoned instance said {next:?}").into()),
        (None, ..) => Ok(()),
    }
}

pub(crate) fn check_fresh_instance() -> Result<(), Failed> {
    match instance()?.add(2, 3) {
        Ok(5) => Ok(()),
        other => Err(format!("a fresh instance says {other:?} to 2 + 3").into()),
    }
}
