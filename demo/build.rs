//! Generates safe bindings to three untrusted C libraries.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    article()?;
    libpng()?;
    hostile()
}

/// The article's example, compiled from source.
fn article() -> Result<()> {
    Library::new("article")
        .header("async_print.h")
        .include("c")
        .source("c/async_print.c")
        .allowlist_function("async_print.*")
        .generate()
}

/// The system's libpng, as it was installed.
fn libpng() -> Result<()> {
    Library::new("png")
        .header("png.h")
        .pkg_config("libpng")
        .allowlist_function("png_.*")
        .allowlist_var("PNG_.*")
        // libpng leaves a call that fails by longjmp; here that becomes an error.
        .setjmp_guard("png_(read|set)_.*", "png_jmpbuf(png_ptr)")
        // What a callback may do instead of returning: fail as libpng does.
        .raise("png_error")
        .raise("png_longjmp")
        .generate()
}

/// A library that attacks its host.
fn hostile() -> Result<()> {
    Library::new("hostile")
        .header("hostile.h")
        .include("c")
        .source("c/hostile.c")
        .allowlist_function("hostile_.*")
        .generate()
}
