//! The attacks that only make sense on a worker process: its call channel, what it
//! writes while the host runs, and constructors while it loads.

mod channel;
mod constructors;
mod writers;

use std::time::Duration;

use libtest_mimic::Trial;
use omniglot::{InterruptHandle, Isolation, IsolationKind, Linux, Result};

use crate::attacks::attack::Home;
use crate::attacks::hostile::Hostile;

/// The process runtime.
pub(crate) const HOME: Home<Linux> =
    Home { isolation: IsolationKind::Process, instance, interrupt: InterruptHandle::interrupt };

/// A fresh instance.
fn instance() -> Result<Hostile> {
    let builder = Hostile::builder().isolation(Isolation::Process).memory_limit(64 << 20);
    // A call that never ends is a failed test, not one that hangs.
    builder.timeout(Duration::from_secs(30)).build()
}

pub(crate) fn trials() -> Vec<Trial> {
    let attacks = channel::attacks().into_iter().chain(writers::attacks());
    let attacks = attacks.map(|attack| attack.into_trial(HOME));
    attacks.chain(constructors::trials()).collect()
}
