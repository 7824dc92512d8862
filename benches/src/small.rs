//! The bindings of the small workloads in `c/workloads.h`, as generated.

#![forbid(unsafe_code)]

omniglot::include_library!("workloads");
