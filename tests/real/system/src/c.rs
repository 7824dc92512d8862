//! The C library.

omniglot::include_library!("c");
