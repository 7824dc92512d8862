//! Not even the module that defines a library can swap a callback's interface.
#![forbid(unsafe_code)]
use omniglot::{Description, OwnedApi};

const DESCRIPTION: Description =
    Description { name: "mine", image: &[], shims: 0, slots: 0, functions: &[] };

omniglot::define_library! {
    /// A library.
    pub struct Mine, Interface; DESCRIPTION; default omniglot::Linux
}

impl Interface {
    fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.base, &mut other.base);
        std::mem::swap(self, other);
    }

    fn reset_from_within(&mut self) {
        let _ = self.base.reset();
        let _ = OwnedApi::reset(self);
    }
}

fn main() {}
