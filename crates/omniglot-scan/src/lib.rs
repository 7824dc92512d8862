//! Finds instructions in x86-64 code that could switch off protection keys.
//!
//! Protection keys restrict which memory code may read and write. The rights are in a register,
//! PKRU, which any user code can write with `WRPKRU` or `XRSTOR`. Untrusted code must therefore
//! contain neither, *at any byte offset*, since it can jump into the middle of an instruction. The
//! same holds for all other executable memory of the process, since keys do not restrict jumps.
//!
//! [`find`] searches memory, and [`Image`] reads ELF files. [`setting`] and [`known`] classify what
//! was found. [`rewrite`] replaces what is there by accident. [`spares_thread_pointer`] tells
//! whether loaded code works with any thread pointer. Nothing here executes or loads anything, and
//! no file can cause a panic.
//!
//! ```
//! # let libc = std::fs::read("/lib/x86_64-linux-gnu/libc.so.6");
//! # if let Ok(libc) = &libc {
//! use omniglot_scan::{Image, Kind, find, known, setting};
//!
//! let image = Image::parse(libc)?;
//! let code = image.code();
//! for gadget in find(&code, Kind::changes_keys) {
//!     let symbol = image.place(gadget.address).map(|place| place.symbol);
//!     let setting = setting(&gadget, &code, image.function_starts());
//!     println!("{gadget:x?} {setting:x?} {:?}", known(&gadget, setting, &code, symbol));
//! }
//! # }
//! # Ok::<(), omniglot_scan::NotAnImage>(())
//! ```
#![forbid(unsafe_code)]

mod find;
mod function;
mod image;
mod kind;
mod known;
mod pattern;
mod rewrite;
mod setting;
mod symbols;
mod thread_pointer;

pub use find::{Code, Gadget, find};
pub use function::function;
pub use image::{Image, ImageKind, NotAnImage, ThreadLocals};
pub use kind::Kind;
pub use known::{Known, known};
pub use rewrite::{Elsewhere, LONGEST_DETOUR, Obstacle, Rewrite, rewrite};
pub use setting::{Setting, setting};
pub use symbols::{Import, Place};
pub use thread_pointer::{LoadedCode, spares_thread_pointer};
