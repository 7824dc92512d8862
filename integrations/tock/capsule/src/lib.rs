//! A Tock capsule that uses C libraries without trusting them.
//!
//! It shows what other capsules can do: hash and sign with monocypher, keep files with littlefs on
//! a device that the capsule provides through callbacks, and continue after a library misbehaves.
//! There is no unsafe code, here or in the bindings.
//!
//! The capsule is the same for every runtime `R`; the board chooses one.
#![no_std]
#![forbid(unsafe_code)]

mod cryptography;
mod disk;
mod driver;
mod files;
pub mod foreign;
mod steps;

pub use disk::Disk;
pub use driver::DRIVER;
pub use steps::{Demonstration, Place};
