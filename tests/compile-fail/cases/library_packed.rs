//! An instance lies where references to it can.
#![forbid(unsafe_code)]
use omniglot::Description;

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    #[repr(packed)]
    pub struct Mine, Interface; DESCRIPTION; default omniglot::Linux
}

fn main() {}
