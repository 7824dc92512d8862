//! A library needs a runtime.
#![forbid(unsafe_code)]
use omniglot::Description;

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    /// A library.
    pub struct Mine, Interface; DESCRIPTION; default u8
}

fn main() {
    let _instance = Mine::<Vec<u8>>::from_runtime(Vec::new());
}
