//! The foreign libraries, as `omniglot-build` has bound them.

/// Hashes, encryption, key exchange, signatures.
pub mod monocypher {
    omniglot::include_library!("monocypher");
}
/// Signatures over NIST's curves.
pub mod micro_ecc {
    omniglot::include_library!("micro_ecc");
}
/// A file system.
pub mod littlefs {
    omniglot::include_library!("littlefs");
}
/// TCP/IP.
pub mod lwip {
    omniglot::include_library!("lwip");
}
/// Decompression.
pub mod zlib {
    omniglot::include_library!("zlib");
}
