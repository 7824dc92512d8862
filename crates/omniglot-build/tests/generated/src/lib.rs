//! The generated module must need no unsafe code, no exception from lints, and no
//! undocumented item.
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings, clippy::all, clippy::pedantic)]

/// Everything that can be bound.
pub mod everything {
    omniglot::include_library!("everything");
}

/// Several libraries in one instance.
pub mod mixture {
    omniglot::include_library!("mixture");
}
