//! Generates safe bindings to three untrusted C libraries.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    article()?;
    libpng()?;
    hostile()
}

/// The article's example, which is compiled from source.
fn article() -> Result<()> {
    Library::new("article")
        .header("async_print.h")
        .include("c")
        .source("c/async_print.c")
        .allowlist_function("async_print.*")
        .generate()
}

/// The system's libpng.
fn libpng() -> Result<()> {
    Library::new("png")
        .header("png.h")
        .pkg_config("libpng")
        .allowlist_function("png_.*")
        .allowlist_var("PNG_.*")
        // libpng reports errors by longjmp; with this guard, that becomes an error of the call.
        .setjmp_guard("png_(read|set)_.*", "png_jmpbuf(png_ptr)")
        // Lets a callback fail as libpng does, instead of returning.
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
