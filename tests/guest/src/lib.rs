//! Only tests of `cargo xtask guest`: from the `outside`, and from the `inside`.
#![forbid(unsafe_code)]
