//! An instance cannot be cloned, even if its definition derives `Clone`.
#![forbid(unsafe_code)]
use omniglot::Description;

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    #[derive(Clone, Default)]
    pub struct Mine, Interface; DESCRIPTION; default omniglot::Linux
}

fn main() {}
