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
//! into the program. The shims are a shared library of their own, the image, which a runtime
//! loads into the domain.
//!
//! # What is bound
//!
//! - Functions over integers of all sizes, floats, `bool`, enums, pointers, function
//!   pointers, and structs and unions by value or by pointer; also `static inline` ones.
//!   `long double`, complex numbers and the like, with which only C can calculate, pass
//!   through as bytes (`c_long_double`). `noreturn` functions are bound as returning.
//! - Enums as Rust enums: a value that the header does not name is an error, never a
//!   Rust value. Enums that are written as flags (`Library::plain_enum` says how), each value
//!   a bit of its own or several of these bits, are structs around an integer, with `|` and
//!   `&`.
//! - Structs field by field, with a constant for each by which an address or a checked
//!   reference is projected to the field (`Ptr::field`, `Ref::field`); bit-fields by a method
//!   that reads each and one that writes it; unions by an accessor per field. `Debug` shows
//!   no padding.
//! - Constants, from macros and `const` variables; globals, to read and write.
//! - Function pointer types, for callbacks and for calls by address; the library's own
//!   functions as such pointers, by `fn_ptr("name")`; sentinels by `FnPtr::from_addr`. A
//!   struct of callbacks that the library keeps is an `omniglot::Table`.
//! - The comments of the header, as documentation.
//!
//! `wchar_t`, `char16_t` and `char32_t` are integers.
//!
//! # Annotations in the header
//!
//! Functions whose parameters are annotated get a wrapper (see [`Wrapper`]), and the plain
//! function the suffix `_raw`:
//!
//! | in the header | in Rust |
//! |---|---|
//! | `counted_by(n)`, `sized_by(n)`, also as `__counted_by(n)`, on a parameter | a slice; `n` is dropped. Through a pointer that is not `const` elements are copied both ways |
//! | `counted_by_or_null(n)`, `sized_by_or_null(n)` | `Option` of a slice |
//! | `_Nullable` | `Option` of what it is |
//! | `_Nonnull`, `nonnull` | a sentence in the documentation; `.optional` is refused |
//! | `warn_unused_result`, `nodiscard` | `#[must_use]` |
//! | `malloc` | a sentence in the documentation |
//!
//! [`Library::wrap`] describes the rest, and wins. gcc's `access` and `alloc_size` are not
//! seen, since clang, which reads the headers, does not keep them.
//!
//! # All methods of the builder
//!
//! | what | methods of [`Library`] |
//! |---|---|
//! | the library | [`new`](Library::new), [`instance_name`](Library::instance_name), [`header`](Library::header), [`include`](Library::include), [`define`](Library::define), [`clang_arg`](Library::clang_arg) |
//! | what is linked | [`pkg_config`](Library::pkg_config), [`link`](Library::link), [`link_search`](Library::link_search), [`source`](Library::source) (C, or C++ with a C interface), [`archive`](Library::archive) |
//! | what is bound | [`allowlist_function`](Library::allowlist_function), [`allowlist_type`](Library::allowlist_type), [`allowlist_var`](Library::allowlist_var), [`blocklist_function`](Library::blocklist_function), [`blocklist_type`](Library::blocklist_type) |
//! | as which types | [`newtype_enum`](Library::newtype_enum), [`bitfield_enum`](Library::bitfield_enum), [`constified_enum`](Library::constified_enum), [`plain_enum`](Library::plain_enum), [`bool_type`](Library::bool_type) |
//! | what C cannot say | [`variadic`](Library::variadic), [`function_macro`](Library::function_macro) |
//! | how it reads | [`wrap`](Library::wrap) with a [`Wrapper`]: slices, strings, results; [`handle`](Library::handle) with a [`Handle`]: objects with an owner |
//! | many calls in one crossing | [`batch`](Library::batch) |
//! | errors by `longjmp` | [`setjmp_guard`](Library::setjmp_guard), [`raise`](Library::raise) |
//! | size and place | [`callback_slots`](Library::callback_slots), [`out_dir`](Library::out_dir), [`target`](Library::target) |
//! | an image for a machine without a system | [`region`](Library::region), [`stack`](Library::stack), [`exchange`](Library::exchange), [`heap`](Library::heap) |
//! | an image for software fault isolation, with the feature `sandbox` | `sandboxed` |
//! | at last | [`generate`](Library::generate); [`preview`](Library::preview), [`preview_compiled`](Library::preview_compiled) and [`preview_linked`](Library::preview_linked), which leave nothing behind |
//!
//! What cannot be bound (`va_list`, vectors by value, …) is listed with its line and the
//! reason as warnings of cargo; what the build script gets wrong is one error with all
//! mistakes.
//!
//! # Without libclang
//!
//! A crate can ship what was generated, and compile only the shims: see [`Prebuilt`],
//! which is there without the default feature `headers` too.

#![forbid(unsafe_code)]
// Both ways share one description of a library; some of it is for reading headers only.
#![cfg_attr(not(feature = "headers"), allow(dead_code))]

#[cfg(feature = "headers")]
mod annotated;
#[cfg(feature = "headers")]
mod bindings;
#[cfg(feature = "headers")]
mod c;
#[cfg(feature = "headers")]
mod check;
mod code;
mod compile;
mod definers;
#[cfg(feature = "headers")]
mod described;
mod diagnostics;
#[cfg(feature = "headers")]
mod docs;
mod error;
mod flat;
#[cfg(feature = "headers")]
mod generation;
mod handle;
#[cfg(feature = "headers")]
mod layout;
#[cfg(feature = "headers")]
mod library;
mod link;
#[cfg(feature = "headers")]
mod model;
#[cfg(feature = "headers")]
mod names;
mod options;
mod output;
mod paths;
mod prebuilt;
#[cfg(feature = "headers")]
mod read;
#[cfg(feature = "headers")]
mod rust;
mod scalar;
#[cfg(feature = "headers")]
mod shims;
#[cfg(feature = "headers")]
mod spell;
mod sysroot;
mod wrapper;

pub use error::{Error, Problem, Result};
pub use handle::Handle;
#[cfg(feature = "headers")]
pub use library::{Library, Preview};
pub use prebuilt::Prebuilt;
pub use wrapper::Wrapper;
