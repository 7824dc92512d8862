//! The description of an attack, and how it is run.

use std::ops::Range;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, FaultKind, IsolationKind, Result, Runtime};

use super::canaries::{Targets, with_canaries};
use super::home::{Home, is_emulated, short_limit};
use super::hostile::{self, Hostile};
use super::kept::Kept;

pub(crate) type Api<R> = hostile::Api<R>;

/// The host's side of an attack. Returns true if it did harm.
type Body<R> = Box<dyn FnOnce(&mut Api<R>, &Targets) -> Result<bool> + Send>;

/// One entry of a table.
pub(crate) struct Attack<R: Runtime> {
    name: String,
    must: Must,
    must_in_process: Option<Must>,
    must_in_region: Option<Must>,
    at_the_host: bool,
    needs_processor: bool,
    body: Body<R>,
}

/// The required outcome of an attack. In addition, it must do no harm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Must {
    /// A fault of one of these kinds.
    Fault(&'static [FaultKind]),
    /// The denied system call with this name.
    Deny(&'static str),
    /// The library's process exits by itself, with this status.
    Exit(i32),
    /// The call exceeds its time limit.
    TimeOut,
    /// An invalid value.
    BeInvalid,
    /// An address outside the library's memory.
    BeOutside,
    /// An error that this function accepts.
    Fail(fn(&Error) -> bool),
    /// A result that does no harm.
    Pass,
    /// An error or a harmless result: both are acceptable.
    EndSomehow,
    /// Anything: the attack needs no right that the library does not have.
    Run,
}

/// Any error.
pub(crate) const ANYHOW: Must = Must::Fail(|_| true);
/// A forbidden memory access.
pub(crate) const ACCESS: Must = Must::Fault(&[FaultKind::Access]);
/// A fault of any kind.
pub(crate) const FAULT: Must = Must::Fail(|error| matches!(error, Error::Fault(_)));

/// Describes an attack.
pub(crate) fn attack<R: Runtime>(
    name: impl Into<String>,
    must: Must,
    body: impl FnOnce(&mut Api<R>, &Targets) -> Result<bool> + Send + 'static,
) -> Attack<R> {
    Attack {
        name: name.into(),
        must,
        must_in_process: None,
        must_in_region: None,
        at_the_host: false,
        needs_processor: false,
        body: Box::new(body),
    }
}

/// The offset of the call channel in the window: `CHANNEL_OFFSET` of the worker's `control.h`.
pub(crate) const CHANNEL: usize = 0x1_0000;

/// Returns the start of the library's memory.
pub(crate) fn window<R: Runtime>(api: &Api<R>) -> usize {
    api.runtime().window().start()
}

/// Returns the range of the library's memory.
pub(crate) fn bounds<R: Runtime>(api: &Api<R>) -> Range<usize> {
    let window = api.runtime().window();
    window.start()..window.start() + window.len()
}

/// Limits the time of calls that never return.
pub(crate) fn limit<R: Runtime>(api: &mut Api<R>) {
    api.set_timeout(Some(short_limit()));
}

impl<R: Runtime> Attack<R> {
    /// Sets the required outcome if the library runs in the host's own process, on the host's own
    /// thread.
    pub(crate) fn in_process(mut self, must: Must) -> Self {
        self.must_in_process = Some(must);
        self
    }

    /// Sets the required outcome if the library's code was verified. Its addresses are cut to 32 bits,
    /// and lead into its own memory, whatever else they are.
    pub(crate) fn in_region(mut self, must: Must) -> Self {
        self.must_in_region = Some(must);
        self
    }

    /// Marks an attack on the host's memory, which is only run on runtimes that claim to protect
    /// it.
    pub(crate) fn at_the_host(mut self) -> Self {
        self.at_the_host = true;
        self
    }

    /// Marks an attack that needs a real processor, since emulated ones behave differently.
    pub(crate) fn needs_processor(mut self, needs: bool) -> Self {
        self.needs_processor = needs;
        self
    }

    /// Makes a test of the attack. It is ignored if the runtime does not claim to stop it.
    pub(crate) fn into_trial(self, home: Home<R>) -> Trial {
        let skipped =
            self.at_the_host && !R::GUARANTEES.memory || self.needs_processor && is_emulated();
        home.trial(self.name.clone(), move || self.run(home)).with_ignored_flag(skipped)
    }

    fn run(self, home: Home<R>) -> Result<(), Failed> {
        let in_process = self.must_in_process.unwrap_or(self.must);
        let must = match home.isolation {
            IsolationKind::Process => self.must,
            IsolationKind::Sfi => self.must_in_region.unwrap_or(in_process),
            _ => in_process,
        };
        with_canaries(|canaries| {
            let mut library = home.hostile()?;
            let outcome = (self.body)(&mut library, &canaries.targets());
            must.check(&outcome)?;
            check_aftermath(library, outcome.err())
        })??;
        check_fresh_instance(home)
    }
}

impl Must {
    pub(crate) fn check(self, outcome: &Result<bool>) -> Result<(), Failed> {
        let right = match (self, outcome) {
            (Self::Run, _) => true,
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

/// After an error that poisons the instance, no foreign code may run. Otherwise each call must end,
/// whatever the library does.
fn check_aftermath<R: Runtime>(
    mut library: Kept<Hostile<R>>,
    error: Option<Error>,
) -> Result<(), Failed> {
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

pub(crate) fn check_fresh_instance<R: Runtime>(home: Home<R>) -> Result<(), Failed> {
    match home.hostile()?.add(2, 3) {
        Ok(5) => Ok(()),
        other => Err(format!("a fresh instance says {other:?} to 2 + 3").into()),
    }
}
