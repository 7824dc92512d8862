//! An instance cannot be packed, since references to it must be aligned.
#![forbid(unsafe_code)]
use omniglot::Description;

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    #[repr(packed)]
    pub struct Mine, Interface; DESCRIPTION; default omniglot::Linux
}

fn main() {}
