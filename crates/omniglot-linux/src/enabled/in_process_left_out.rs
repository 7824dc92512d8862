//! What the other modules know of runtimes in the host's own process, in a build without them: by
//! the names of the modules that have it otherwise.

pub use crate::left_out::{ProtectionKeys, Sfi, Unprotected};

pub(super) mod interrupter {
    use std::convert::Infallible;

    /// Interrupts a call in the host's own process; there are none.
    #[derive(Clone, Debug)]
    pub(crate) struct Interrupter {
        never: Infallible,
    }

    impl Interrupter {
        pub(crate) const fn interrupt(&self) {
            match self.never {}
        }
    }
}

pub(super) mod features {
    /// Nothing has to be cleared.
    pub(crate) const fn has_unknown_registers() -> bool {
        false
    }
}

pub(super) mod places {
    /// No gate is within reach of anybody.
    pub(crate) const fn lies_below_4_gib() -> bool {
        false
    }
}

pub(super) mod interposed {
    /// This crate defines no function of the C library's.
    pub(crate) const fn are_the_programs() -> bool {
        false
    }
}
