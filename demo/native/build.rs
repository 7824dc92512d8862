//! Compiles the article's C function and finds libpng.

fn main() -> Result<(), pkg_config::Error> {
    println!("cargo::rerun-if-changed=../c");
    cc::Build::new().file("../c/async_print.c").include("../c").compile("async_print");
    pkg_config::probe_library("libpng")?;
    Ok(())
}
