//! The attacks that only apply to a worker process: on its call channel, by writing while the host
//! runs, and by constructors during loading.

mod channel;
mod constructors;
mod writers;

use libtest_mimic::Trial;
use omniglot::{Description, InterruptHandle, IsolationKind, Linux, Options, Result};

use crate::attacks::home::{Home, options};

/// The process runtime.
pub(crate) const HOME: Home<Linux> = Home {
    prefix: "",
    isolation: IsolationKind::Process,
    start,
    interrupt: InterruptHandle::interrupt,
};

fn start(description: &Description) -> Result<Linux> {
    let mut options: Options = options();
    options.isolation = omniglot::Isolation::Process;
    Linux::start(description, &options)
}

pub(crate) fn trials() -> Vec<Trial> {
    let attacks = channel::attacks().into_iter().chain(writers::attacks());
    let attacks = attacks.map(|attack| attack.into_trial(HOME));
    attacks.chain(constructors::trials()).collect()
}
