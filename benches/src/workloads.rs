//! The workloads through Omniglot, as generated.

omniglot::include_library!("workloads");
