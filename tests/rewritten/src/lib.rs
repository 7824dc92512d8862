//! Runs images that the rewriter made, and the same C code as the compiler generated it, so that
//! tests can compare the results.
//!
//! Unsafe code argues from these invariants:
//!
//! - **R1** The verifier accepted the code in a region when the image was made.
//! - **R2** Only one call runs at a time in all regions of this process, since it holds a lock.
//! - **R3** A region's memory is mapped until the process ends.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod build;
mod enter;
pub mod library;
pub mod native;
pub mod region;
