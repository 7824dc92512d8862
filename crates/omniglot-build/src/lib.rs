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
//! - Bit-fields: a method that reads each, and one that writes it.
//! - Constants, from macros and `const` variables; globals, to read and write.
//! - Function pointer types, for callbacks and for calls by address; the library's own
//!   functions as such pointers, by `fn_ptr("name")`.
//! - What the user describes: variadic functions with certain parameters
//!   ([`Library::variadic`]), macros as functions ([`Library::function_macro`]),
//!   integers as booleans ([`Library::bool_type`]).
//!
//! [`Library::wrap`] gives functions signatures that read like Rust: slices, strings,
//! results.
//!
//! What cannot be bound (`va_list`, `long double`, …) is listed once, with the reason,
//! as a warning of cargo; see also [`Library::preview`].
//!
//! # Without libclang
//!
//! A crate can ship what was generated, and compile only the shims: see [`Prebuilt`],
//! which is there without the default feature `bindgen` too.

#![forbid(unsafe_code)]
// Both ways share one description of a library; some of it is for reading headers only.
#![cfg_attr(not(feature = "bindgen"), allow(dead_code))]

#[cfg(feature = "bindgen")]
mod c;
#[cfg(feature = "bindgen")]
mod check;
mod compile;
#[cfg(feature = "bindgen")]
mod described;
#[cfg(feature = "bindgen")]
mod docs;
mod error;
mod flat;
#[cfg(feature = "bindgen")]
mod layout;
#[cfg(feature = "bindgen")]
mod library;
mod link;
#[cfg(feature = "bindgen")]
mod lower;
#[cfg(feature = "bindgen")]
mod model;
#[cfg(feature = "bindgen")]
mod names;
mod options;
mod output;
#[cfg(feature = "bindgen")]
mod own;
#[cfg(feature = "bindgen")]
mod parse;
mod paths;
mod prebuilt;
#[cfg(feature = "bindgen")]
mod rust;
mod scalar;
#[cfg(feature = "bindgen")]
mod shims;
mod wrapper;

pub use error::{Error, Problem, Result};
#[cfg(feature = "bindgen")]
pub use library::{Library, Preview};
pub use prebuilt::Prebuilt;
pub use wrapper::Wrapper;

#[cfg(feature = "bindgen")]
use layout::Layouts;
#[cfg(feature = "bindgen")]
use model::Model;
#[cfg(feature = "bindgen")]
use options::Options;
#[cfg(feature = "bindgen")]
use scalar::Target;

/// A checked model, with what generation of Rust and C needs to know.
#[cfg(feature = "bindgen")]
#[derive(Debug)]
struct Bindings {
    options: Options,
    target: Target,
    model: Model,
    problems: Vec<Problem>,
}

#[cfg(feature = "bindgen")]
impl Bindings {
    fn layouts(&self) -> Layouts<'_> {
        Layouts { types: &self.model.types, target: &self.target }
    }

    /// The name of the image's file; `None` where none is made.
    fn image(&self) -> Option<String> {
        let is_flat = self.target.is_bare() && self.options.region().is_some();
        let ending = if is_flat { "image" } else { "so" };
        (is_flat || self.target.is_compiled()).then(|| format!("{}.{ending}", self.options.name))
    }

    /// How many callback slots the image has.
    fn slot_count(&self) -> u32 {
        let signatures = shims::bound_signatures(&self.model).count();
        u32::try_from(signatures).unwrap_or(0).saturating_mul(self.options.callback_slots)
    }
}
