//! Generates safe Rust bindings for a C library from its header.
//!
//! Used from `build.rs`. It reads the header with libclang, writes a Rust module with
//! a method per function, and compiles a small C file, the shims, that calls them:
//!
//! ```no_run
//! fn main() -> omniglot_build::Result<()> {
//!     omniglot_build::Library::new("png")
//!         .header("png.h")
//!         .pkg_config("libpng")
//!         .allowlist_function("png_.*")
//!         .generate()
//! }
//! ```
//!
//! The crate then includes the module with
//! `mod png { omniglot::include_library!("png"); }`. Nothing of the library is linked
//! into the program: the shims are an image that a runtime loads where it isolates.
//!
//! # What is bound
//!
//! - Functions over integers, floats, `bool`, enums, pointers, function pointers, and
//!   structs and unions by value or by pointer; also `static inline` ones.
//! - Enums as Rust enums: a value that the header does not name is an error, never a
//!   Rust value. [`Library::newtype_enum`] and others choose otherwise.
//! - Constants, from macros and `const` variables; addresses of globals.
//! - Function pointer types, for callbacks and for calls by address.
//!
//! What cannot be bound (variadic functions, `va_list`, `long double`, …) is listed
//! once, with the reason, as a warning of cargo; see also [`Library::preview`].

#![forbid(unsafe_code)]

mod c;
mod check;
mod compile;
mod docs;
mod error;
mod layout;
mod library;
mod link;
mod lower;
mod model;
mod names;
mod options;
mod own;
mod parse;
mod paths;
mod rust;
mod scalar;
mod shims;

pub use error::{Error, Problem, Result};
pub use library::{Library, Preview};

use layout::Layouts;
use model::Model;
use options::Options;
use scalar::Target;

/// A checked model, with what generation of Rust and C needs to know.
#[derive(Debug)]
struct Bindings {
    options: Options,
    target: Target,
    model: Model,
    problems: Vec<Problem>,
}

impl Bindings {
    fn layouts(&self) -> Layouts<'_> {
        Layouts { types: &self.model.types, target: &self.target }
    }

    /// How many callback slots the image has.
    fn slot_count(&self) -> u32 {
        let signatures = shims::bound_signatures(&self.model).count();
        u32::try_from(signatures).unwrap_or(0).saturating_mul(self.options.callback_slots)
    }
}
