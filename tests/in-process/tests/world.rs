//! The tests of omniglot-linux of this name.
#![allow(missing_docs)]

#[path = "../../../crates/omniglot-linux/tests/world.rs"]
mod tests;
