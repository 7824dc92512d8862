//! What the other modules know of runtimes in the host's own process, in a build without them.

use std::convert::Infallible;

pub use crate::left_out::{ProtectionKeys, Sfi, Unprotected};

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

/// Nothing has to be cleared.
pub(super) const fn has_unknown_registers() -> bool {
    false
}

/// No gate is within reach of anybody.
pub(super) const fn lies_below_4_gib() -> bool {
    false
}

/// This crate defines no function of the C library's.
pub(super) const fn are_the_programs() -> bool {
    false
}
