//! The description of an escape, and how it is tried.

use std::ops::Range;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, IsolationKind, Ptr, Result, Runtime};

use super::library::{self, Escapes};
use super::state::State;
use crate::attacks::attack::Must;
use crate::attacks::canaries::{Targets, with_canaries};
use crate::attacks::home::{Home, is_emulated, options, short_limit};
use crate::attacks::kept::Kept;

pub(crate) type Api<R> = library::Api<R>;

/// The host's side of an escape. Returns true if it did harm.
type Body<R> = Box<dyn FnOnce(&mut Api<R>, &Targets) -> Result<bool> + Send>;

/// One entry of a table.
pub(crate) struct Escape<R: Runtime> {
    name: String,
    must: Must,
    must_in_region: Option<Must>,
    beside_the_point: Option<&'static str>,
    at_the_host: bool,
    before: Option<Box<dyn FnOnce() + Send>>,
    alone: bool,
    needs_processor: bool,
    body: Body<R>,
}

/// Describes an escape.
pub(crate) fn escape<R: Runtime>(
    name: impl Into<String>,
    must: Must,
    body: impl FnOnce(&mut Api<R>, &Targets) -> Result<bool> + Send + 'static,
) -> Escape<R> {
    let (at_the_host, before, alone) = (false, None, false);
    Escape {
        name: name.into(),
        must,
        must_in_region: None,
        beside_the_point: None,
        at_the_host,
        before,
        alone,
        needs_processor: false,
        body: Box::new(body),
    }
}

/// Returns the range of the library's memory.
pub(crate) fn bounds<R: Runtime>(api: &Api<R>) -> Range<usize> {
    let window = api.runtime().window();
    window.start()..window.start() + window.len()
}

/// Returns the host's address of a place in a library's memory.
pub(crate) fn host_address<R: Runtime>(api: &Api<R>, place: usize) -> Result<usize> {
    let byte = api.upgrade_slice(Ptr::<u8>::from_addr(place), 1)?;
    Ok(api.view_slice(byte)?.as_ptr().addr())
}

/// Returns the address that the processor uses when the library runs: in a region that is not the
/// one that the library knows, but the host's.
pub(crate) fn real_address<R: Runtime>(api: &Api<R>, place: usize) -> Result<usize> {
    match api.runtime().isolation() {
        IsolationKind::Sfi => host_address(api, place),
        _ => Ok(place),
    }
}

/// The same of all of the library's memory.
pub(crate) fn real_bounds<R: Runtime>(api: &Api<R>) -> Result<Range<usize>> {
    let known = bounds(api);
    let start = real_address(api, known.start)?;
    Ok(start..start + known.len())
}

/// Limits the time of calls that never return.
pub(crate) fn limit<R: Runtime>(api: &mut Api<R>) {
    api.set_timeout(Some(short_limit()));
}

impl<R: Runtime> Escape<R> {
    /// Marks an escape that targets the host's memory, which is only run on runtimes that claim to
    /// protect it.
    pub(crate) fn at_the_host(mut self) -> Self {
        self.at_the_host = true;
        self
    }

    /// Sets the required outcome if the library's code was verified: its addresses are cut to 32
    /// bits, and instructions that the verifier refuses are undefined ones in its image.
    pub(crate) fn in_region(mut self, must: Must) -> Self {
        self.must_in_region = Some(must);
        self
    }

    /// Marks an escape that says nothing about verified code, and why: as the kind of the test, which
    /// is ignored there.
    pub(crate) fn not_in_region(mut self, because: &'static str) -> Self {
        self.beside_the_point = Some(because);
        self
    }

    /// Marks an escape that changes the state of its process for good.
    pub(crate) fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Marks an escape that needs a real processor, since emulated ones behave differently.
    pub(crate) fn needs_processor(mut self) -> Self {
        self.needs_processor = true;
        self
    }

    /// Adds something that the host does before it has any instance.
    pub(crate) fn preceded_by(mut self, before: impl FnOnce() + Send + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// Makes a test of the escape. It is ignored if the runtime does not claim to stop it.
    pub(crate) fn into_trial(self, home: Home<R>) -> Trial {
        let skipped =
            self.at_the_host && !R::GUARANTEES.memory || self.needs_processor && is_emulated();
        let alone = self.before.is_some() || self.alone;
        let because = self.beside_the_point.filter(|_| home.isolation == IsolationKind::Sfi);
        let trial = home.trial_in(self.name.clone(), move || self.run(home), alone);
        match because {
            Some(because) => trial.with_kind(because).with_ignored_flag(true),
            None => trial.with_ignored_flag(skipped),
        }
    }

    fn run(self, home: Home<R>) -> std::result::Result<(), Failed> {
        let must = match home.isolation {
            IsolationKind::Sfi => self.must_in_region.unwrap_or(self.must),
            _ => self.must,
        };
        if let Some(before) = self.before {
            before();
        }
        with_canaries(|canaries| {
            let mut library = victim(home)?;
            // The first call prepares the thread for running foreign code.
            library.sound(2, 3)?;
            let before = State::now();
            let outcome = (self.body)(&mut library, &canaries.targets());
            unchanged(&before)?;
            must.check(&outcome)?;
            check_aftermath(library, outcome.err())?;
            unchanged(&before)
        })??;
        check_fresh_instance(home)
    }
}

fn victim<R: Runtime>(home: Home<R>) -> Result<Kept<Escapes<R>>> {
    let mut library = home.kept::<Escapes<R>>()?;
    library.set_timeout(options().timeout);
    Ok(library)
}

/// Fails if the host's state has changed.
fn unchanged(before: &State) -> std::result::Result<(), Failed> {
    before.difference().map_or(Ok(()), |difference| Err(difference.into()))
}

/// After an error that poisons the instance, no foreign code may run. Otherwise the library must
/// work.
fn check_aftermath<R: Runtime>(
    mut library: Kept<Escapes<R>>,
    error: Option<Error>,
) -> std::result::Result<(), Failed> {
    let poisons = error.and_then(|error| error.poisons());
    let next = library.sound(2, 3);
    match (poisons, library.poisoned(), next) {
        (Some(_), None, _) => Err("a poisoning error left the instance usable".into()),
        (Some(_), Some(by), Err(Error::Poisoned { by: said })) if by == said => Ok(()),
        (Some(_), Some(_), next) => Err(format!("a poisoned instance said {next:?}").into()),
        (None, ..) => Ok(()),
    }
}

fn check_fresh_instance<R: Runtime>(home: Home<R>) -> std::result::Result<(), Failed> {
    let mut library = victim(home)?;
    match (library.sound(2, 3), library.third(1.0)) {
        (Ok(5), Ok(third)) if third.to_bits() == 0x3fd5_5555_5555_5555 => Ok(()),
        other => Err(format!("a fresh instance says {other:?} to 2 + 3 and 1 / 3").into()),
    }
}
