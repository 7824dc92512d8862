//! A description must be a constant, since it may never change.
#![forbid(unsafe_code)]
use omniglot::Description;

static mut DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    /// A library.
    pub struct Mine, Interface; DESCRIPTION; default omniglot::Linux
}

fn main() {}
