//! Instructions in this process's code that could switch protection keys off: found, rewritten, and
//! searched for again whenever the code changes.
//!
//! [`code`] scans all executable memory, and has gadgets removed: by [`rewrite`], which encodes an
//! instruction differently, or by a jump elsewhere ([`patch`]). [`objects`] locates what the
//! dynamic linker loaded. [`changes`] keeps foreign code out while something becomes executable:
//! through the C library's functions ([`executable`]), or the dynamic linker ([`linker`]). The
//! crate omniglot-scan defines what such instructions are; it has no unsafe code and serves the
//! command `omniglot scan`, too.

pub(crate) mod changes;
pub(crate) mod code;
pub(crate) mod executable;
pub(crate) mod linker;
mod objects;
mod patch;
mod rewrite;
