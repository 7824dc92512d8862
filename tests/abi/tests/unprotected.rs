//! Calls every signature in the host's own process, without protection.
// Functions that tests share may panic, as tests may.
#![allow(clippy::unwrap_used, clippy::panic, unsafe_code)]

mod judge;

use omniglot::{Library as _, Options, Unprotected};
use omniglot_abi::libraries;

use judge::judge;

macro_rules! libraries {
    ($($module:ident)*) => { $(
        #[test]
        fn $module() {
            type Library = libraries::$module::Library<Unprotected>;
            // SAFETY: the generated library writes only its own memory.
            let runtime = unsafe { Unprotected::start(&Library::DESCRIPTION, &Options::default()) };
            let mut library = Library::from_runtime(runtime.unwrap());
            judge(|judge| libraries::$module::run(&mut library, judge));
        }
    )* };
}

libraries!(abi0 abi1 abi2 abi3 abi4 abi5 abi6 abi7);
