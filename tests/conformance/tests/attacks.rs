//! A library whose every function attacks its host: each attack is an error or
//! harmless, the host's memory stays as it was byte for byte, and afterwards a
//! fresh instance works.
//!
//! Each attack is one entry of a table: its name, what must come of it, and how
//! the host walks into it.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod attacks {
    pub(crate) mod attack;
    pub(crate) mod callbacks;
    pub(crate) mod canaries;
    pub(crate) mod channel;
    pub(crate) mod constructors;
    pub(crate) mod endings;
    pub(crate) mod instructions;
    pub(crate) mod memory;
    pub(crate) mod pointers;
    pub(crate) mod processes;
    pub(crate) mod system_calls;
    pub(crate) mod values;
    pub(crate) mod writers;

    /// The library that attacks.
    #[allow(unreachable_pub)]
    pub(crate) mod hostile {
        omniglot::include_library!("hostile");
    }
}

use std::process::ExitCode;

use attacks::{
    callbacks, channel, constructors, endings, instructions, memory, pointers, processes,
    system_calls, values, writers,
};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let tables = [
        memory::attacks(),
        values::attacks(),
        pointers::attacks(),
        callbacks::attacks(),
        channel::attacks(),
        writers::attacks(),
        instructions::attacks(),
        endings::attacks(),
        processes::attacks(),
    ];
    let mut trials: Vec<_> =
        tables.into_iter().flatten().map(attacks::attack::Attack::into_trial).collect();
    trials.extend(system_calls::trials());
    trials.extend(constructors::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
