//! Safe programs that try to get undefined behaviour out of the crate: every trait that users
//! can implement lies, guards are leaked, closures panic wherever they run, and sizes and
//! identities are extreme. What must come of it is a value, an error or a panic. Miri and the
//! sanitizers say whether there was more to it (`cargo xtask test --only sanitizers`).
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic)]

mod safe_api {
    #![forbid(unsafe_code)]

    mod conveniences;
    mod foreign;
    mod guards;
    mod identities;
    mod objects;
    mod panics;
    mod signatures;
    mod sizes;
}
