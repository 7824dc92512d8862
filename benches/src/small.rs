//! The small workloads of `c/workloads.h` through Omniglot, as generated.

#![forbid(unsafe_code)]

omniglot::include_library!("workloads");
