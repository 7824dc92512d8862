//! The escapes, by topic.

mod ambushes;
mod births;
mod breakpoints;
mod changes;
mod colluding;
mod debugger;
#[allow(dead_code)]
#[path = "../../../../crates/omniglot-linux/tests/support/emulated.rs"]
mod emulated;
pub(crate) mod escape;
mod forks;
mod gadgets;
mod gate;
pub(crate) mod handlers;
pub(crate) mod homes;
mod jumps;
mod memory;
mod nesting;
mod registers;
mod rights;
#[path = "../../../../crates/omniglot-linux/tests/support/sample.rs"]
mod sample;
mod signals;
mod stacks;
pub(crate) mod state;
mod steps;
mod timers;
mod views;

/// The library that tries to escape.
#[allow(unreachable_pub)]
pub(crate) mod library {
    omniglot::include_library!("escapes");
}

use libtest_mimic::Trial;
use omniglot::Runtime;

use crate::attacks::home::Home;

/// Returns all escapes as tests of one runtime.
pub(crate) fn trials<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let tables = [
        memory::escapes(home),
        jumps::escapes(home),
        rights::escapes(home),
        colluding::escapes(home),
        registers::escapes(home),
        stacks::escapes(),
        signals::escapes(home),
        nesting::escapes(home),
        forks::escapes(home),
        views::escapes(),
        timers::escapes(home),
        steps::escapes(home),
        breakpoints::escapes(home),
        ambushes::escapes(home),
        births::escapes(home),
    ];
    let escapes = tables.into_iter().flatten().map(|escape| escape.into_trial(home));
    escapes.chain(gadgets::trials(home)).chain(changes::trials(home)).collect()
}

/// Returns those that apply to verified code. The other tables are about protection keys: what they
/// write to PKRU, or load into a process with a domain behind a key, the verifier refuses.
pub(crate) fn trials_of_verified_code<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let tables = [
        memory::escapes(home),
        jumps::escapes(home),
        registers::escapes(home),
        stacks::escapes(),
        signals::escapes(home),
        nesting::escapes(home),
        forks::escapes(home),
        views::escapes(),
        timers::escapes(home),
        steps::escapes(home),
        breakpoints::escapes(home),
        ambushes::escapes(home),
        births::escapes(home),
    ];
    tables.into_iter().flatten().map(|escape| escape.into_trial(home)).collect()
}
