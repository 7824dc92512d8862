//! Finds instructions in x86-64 code that could switch memory protection off.
//!
//! Protection keys restrict what code may read and write, by a register that any user code can
//! write: with `WRPKRU`, or with `XRSTOR`. Untrusted code must therefore contain neither, *at any
//! byte offset*, since it can jump into the middle of an instruction; nor may any other executable
//! memory of the process, since keys do not restrict where it may jump.
//!
//! [`find`] looks at memory, wherever that is; [`Image`] reads ELF files, and [`setting`] and
//! [`known`] say more about what was found. What is there by accident, [`rewrite`] replaces.
//! [`spares_thread_pointer`] tells whether loaded code does without thread-local variables.
//! Nothing here executes or loads anything, and no file
//! makes it panic.
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
