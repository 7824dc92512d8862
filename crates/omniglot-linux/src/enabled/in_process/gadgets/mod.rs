//! Instructions in this process's code that could switch protection keys off: found, rewritten,
//! and looked for again whenever the code changes.
//!
//! [`code`] looks at all that is executable, and has what it finds taken away: by [`rewrite`],
//! another way to write the same, or by a jump to one ([`patch`]); [`objects`] says where what
//! the dynamic linker loaded lies. [`changes`] keeps foreign code out while something becomes
//! executable: through the C library's functions ([`executable`]), or the dynamic linker
//! ([`linker`]). What such instructions are is in the crate omniglot-scan, which has no unsafe
//! code and serves the command `omniglot scan`, too.

pub(crate) mod changes;
pub(crate) mod code;
pub(crate) mod executable;
mod linker;
mod objects;
mod patch;
mod rewrite;
