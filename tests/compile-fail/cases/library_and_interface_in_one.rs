//! An instance and its interface must be two types.
#![forbid(unsafe_code)]
use omniglot::Description;

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    /// A library.
    pub struct Mine, Mine; DESCRIPTION; default omniglot::Linux
}

fn main() {}
