//! Calls every signature in a worker process.
// Functions that tests share may panic, as tests may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod judge;

use omniglot::Isolation;
use omniglot_abi::libraries;

use judge::judge;

macro_rules! libraries {
    ($($module:ident)*) => { $(
        #[test]
        fn $module() {
            let builder = libraries::$module::Library::builder().isolation(Isolation::Process);
            let mut library = builder.build().unwrap();
            judge(|judge| libraries::$module::run(&mut library, judge));
        }
    )* };
}

libraries!(abi0 abi1 abi2 abi3 abi4 abi5 abi6 abi7);
