//! The foreign libraries, as `omniglot-build` has bound them.

/// Hashes and signatures.
pub mod monocypher {
    omniglot::include_library!("monocypher");
}
/// A file system.
pub mod littlefs {
    omniglot::include_library!("littlefs");
}
