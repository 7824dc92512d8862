//! The libraries that the build script generated.

macro_rules! library {
    ($module:ident, $instance:ident, $name:literal) => {
        /// One library.
        pub mod $module {
            use omniglot::{Ptr, Result, Runtime, Void};

            use crate::Outcome;
            use crate::mix::{self, Hash, Mix, State};

            mod lib {
                omniglot::include_library!($name);
            }
            pub use lib::{Api, $instance as Library};

            include!(concat!(env!("OUT_DIR"), "/", $name, "_calls.rs"));

            /// Runs every case, and passes each outcome to `judge`.
            ///
            /// # Errors
            /// If a call fails.
            pub fn run<R: Runtime>(api: &mut Api<R>, mut judge: impl FnMut(Outcome)) -> Result<()> {
                let mut seeded = (crate::SEED..).zip(cases::<R>());
                seeded.try_for_each(|(seed, case)| Ok(judge(case(api, seed)?)))
            }
        }
    };
}

library!(abi0, Abi0, "abi0");
library!(abi1, Abi1, "abi1");
library!(abi2, Abi2, "abi2");
library!(abi3, Abi3, "abi3");
library!(abi4, Abi4, "abi4");
library!(abi5, Abi5, "abi5");
library!(abi6, Abi6, "abi6");
library!(abi7, Abi7, "abi7");
