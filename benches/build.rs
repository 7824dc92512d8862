//! Builds the workloads twice: linked for plain FFI, and as a library for Omniglot.

fn main() -> omniglot_build::Result<()> {
    cc::Build::new().file("c/workloads.c").compile("workloads");
    omniglot_build::Library::new("workloads")
        .header("c/workloads.h")
        .source("c/workloads.c")
        .generate()
}
