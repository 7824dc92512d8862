//! One set of tests for every runtime.
//!
//! Each [`Case`] calls the C library of `c/conformance.h` and checks one of the guarantees. Cases
//! need only omniglot's core without an allocator, so they run on any runtime and in a kernel. The
//! exceptions are a few cases on owned objects, which need the feature `std`. A test program makes
//! the instances and calls [`Case::run`] for each case of [`Suite::topics`].
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

mod aliasing;
mod arguments;
#[cfg(feature = "std")]
mod batches;
mod callbacks;
mod case;
mod containment;
mod enums;
mod failure;
#[cfg(feature = "std")]
mod handles;
mod memory;
mod nesting;
mod numbers;
mod pointers;
mod raising;
mod sheets;
mod state;
mod strings;
mod structs;

/// The C library that the cases call.
pub mod conformance {
    omniglot::include_library!("conformance");
}

pub use case::{Case, Guarantee, Leaves, Suite, Verdict};
pub use failure::{Failure, Outcome};

const TOPICS: usize = if cfg!(feature = "std") { 16 } else { 14 };

/// The library's interface, as the cases get it.
type Api<R> = conformance::Api<R>;

impl<R: omniglot::Runtime> Suite<R> {
    /// Returns all cases, by topic.
    #[must_use]
    pub fn topics() -> [(&'static str, &'static [Case<R>]); TOPICS] {
        [
            ("numbers", Self::NUMBERS),
            ("enums", Self::ENUMS),
            ("structs", Self::STRUCTS),
            ("sheets", Self::SHEETS),
            ("arguments", Self::ARGUMENTS),
            ("pointers", Self::POINTERS),
            ("strings", Self::STRINGS),
            ("memory", Self::MEMORY),
            ("aliasing", Self::ALIASING),
            ("callbacks", Self::CALLBACKS),
            ("nesting", Self::NESTING),
            ("raising", Self::RAISING),
            ("containment", Self::CONTAINMENT),
            ("state", Self::STATE),
            #[cfg(feature = "std")]
            ("handles", Self::HANDLES),
            #[cfg(feature = "std")]
            ("batches", Self::BATCHES),
        ]
    }
}
