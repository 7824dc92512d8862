//! The attacks that apply to every runtime.

pub(crate) mod attack;
pub(crate) mod callbacks;
pub(crate) mod canaries;
pub(crate) mod endings;
pub(crate) mod home;
pub(crate) mod instructions;
pub(crate) mod isolated;
pub(crate) mod kept;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod pointers;
pub(crate) mod processes;
pub(crate) mod system_calls;
pub(crate) mod values;

/// The hostile library.
#[allow(unreachable_pub)]
pub(crate) mod hostile {
    omniglot::include_library!("hostile");
}

use home::Home;
use libtest_mimic::Trial;
use omniglot::Runtime;

/// Returns all attacks as tests of one runtime.
pub(crate) fn trials<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let tables = [
        memory::attacks(),
        values::attacks(),
        pointers::attacks(),
        callbacks::attacks(),
        instructions::attacks(),
        endings::attacks(home),
        processes::attacks(),
    ];
    let attacks = tables.into_iter().flatten().map(|attack| attack.into_trial(home));
    attacks.chain(system_calls::trials(home)).collect()
}
