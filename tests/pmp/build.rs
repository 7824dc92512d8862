//! Links the kernel as memory.x says, and binds the hostile library.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg=-Tmemory.x");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
    without_omniglot();
    Library::new("hostile")
        .header("c/hostile.h")
        .source("c/hostile.c")
        .source("c/attacks.S")
        .region(0x8600_0000, 128 << 10)
        .stack(4 << 10)
        .exchange(4 << 10)
        .generate()
}

/// Compiles the article's function as part of the kernel.
fn without_omniglot() {
    println!("cargo:rerun-if-changed=c/article.c");
    cc::Build::new().file("c/article.c").flag("--specs=picolibc.specs").compile("article");
}
