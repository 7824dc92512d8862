//! Compiles the library of omniglot-linux's tests, since a guest has no compiler.
#![forbid(unsafe_code)]

use std::env;
use std::path::PathBuf;

const SOURCE: &str = "../../crates/omniglot-linux/tests/images/sample.c";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rustc-check-cfg=cfg(embedded_sample)");
    println!("cargo:rustc-cfg=embedded_sample");
    let object = PathBuf::from(env::var("OUT_DIR")?).join("sample.so");
    let compiler = cc::Build::new().opt_level(1).cargo_metadata(false).try_get_compiler()?;
    let done = compiler
        .to_command()
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&object)
        .arg(SOURCE)
        .status()?;
    if done.success() { Ok(()) } else { Err("the sample library does not compile".into()) }
}
