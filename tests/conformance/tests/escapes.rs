//! Libraries in the host's own process that try to escape. They include the attacks that every
//! runtime stops, and escapes that only apply in the host's process.
//!
//! Each escape is one entry of a table: its name, the required outcome, and the host's calls that
//! trigger it. Each has its own host process, since one that succeeds may crash it. `unprotected::`
//! has those that a runtime without protection stops too; `sfi::` has those that say something about
//! verified code; `keys::` has all of them, on a machine with protection keys.
#![allow(missing_docs)]
#![deny(unsafe_code)]

#[path = "attacks/mod.rs"]
mod attacks;
#[path = "escapes/mod.rs"]
mod escapes;

use std::env;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use attacks::home::Home;
use escapes::homes::{KEYS, UNPROTECTED, VERIFIED};
use libtest_mimic::{Arguments, Trial};
use omniglot::{ProtectionKeys, Runtime};

fn main() -> ExitCode {
    // The guest is for tests that need keys; the others run natively.
    let mut trials = if attacks::home::is_emulated() { Vec::new() } else { all(UNPROTECTED) };
    let keys = all(KEYS);
    if !attacks::home::is_emulated() {
        trials.extend(escapes::trials_of_verified_code(VERIFIED));
    }
    if attacks::isolated::is_serving() {
        return attacks::isolated::serve();
    }
    let keys = sample(keys);
    match ProtectionKeys::check() {
        Ok(()) => trials.extend(keys),
        Err(lack) => {
            eprintln!("{} tests behind protection keys are ignored: {lack}", keys.len());
            trials.extend(keys.into_iter().map(|trial| trial.with_ignored_flag(true)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A third of these on an emulated processor, another one each time, unless all are asked for:
/// each starts a process, in which all code is scanned first.
fn sample(trials: Vec<Trial>) -> Vec<Trial> {
    const SHARES: u64 = 3;
    let asked = env::var("OMNIGLOT_ESCAPES").unwrap_or_default();
    if !attacks::home::is_emulated() || asked == "all" || Arguments::from_args().filter.is_some() {
        return trials;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let share = asked.parse().unwrap_or(now) % SHARES;
    eprintln!("OMNIGLOT_ESCAPES={share}: 1 of {SHARES} shares is tried; `all` tries all");
    let numbered = (0..SHARES).cycle().zip(trials);
    numbered.filter(|(number, _)| *number == share).map(|(_, trial)| trial).collect()
}

fn all<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let mut trials = attacks::trials(home);
    trials.extend(escapes::trials(home));
    trials
}
