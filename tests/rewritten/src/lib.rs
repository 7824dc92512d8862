//! Runs images that the rewriter made, and the same C code as the compiler left it, so that tests
//! can compare what both do.
//!
//! Unsafe code argues from these:
//!
//! - **R1** What runs in a region was accepted by the verifier when the image was made.
//! - **R2** One call at a time runs in all regions of this process: a lock is held meanwhile.
//! - **R3** A region's memory is mapped until the process ends.
#![allow(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod build;
mod enter;
pub mod library;
pub mod native;
pub mod region;
