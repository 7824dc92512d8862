//! Links the C code that the peers call by plain FFI.

fn main() {
    cc::Build::new().file("../c/workloads.c").compile("workloads");
    println!("cargo:rerun-if-changed=../c/workloads.c");
    for library in ["sodium", "brotlienc", "brotlidec", "png16"] {
        println!("cargo:rustc-link-lib={library}");
    }
}
