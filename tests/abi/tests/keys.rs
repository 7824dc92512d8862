//! Calls every signature behind a protection key, in the guest.
// Functions that tests share may panic, as tests may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod judge;

use std::time::Duration;

use omniglot::{Library as _, Options, ProtectionKeys};
use omniglot_abi::libraries;

use judge::judge;

macro_rules! libraries {
    ($($module:ident)*) => { $(
        #[test]
        fn $module() {
            type Library = libraries::$module::Library<ProtectionKeys>;
            let runtime = ProtectionKeys::start(&Library::DESCRIPTION, &options());
            let mut library = Library::from_runtime(runtime.unwrap());
            judge(|judge| libraries::$module::run(&mut library, judge));
        }
    )* };
}

libraries!(abi0 abi1 abi2 abi3 abi4 abi5 abi6 abi7);

/// A virtual machine may be a hundred times slower than a real one.
fn options() -> Options {
    let mut options = Options::default();
    options.memory_limit = 64 << 20;
    options.start_timeout = Duration::from_secs(300);
    options.timeout = Some(Duration::from_secs(60));
    options
}
