//! Compiles the libraries of omniglot-linux's tests, since the guest has no compiler.
#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::path::PathBuf;

/// Sources, and the options with which they are linked.
type Images = &'static [(&'static str, &'static [&'static str])];

/// Those that every test needs.
const USUAL: Images = &[("sample.c", &[])];

/// Those of tests of runtimes in the host's process, in the architecture that has them.
const IN_PROCESS: Images = &[
    ("real.c", &["-lpng16", "-lz", "-lsodium", "-lbrotlienc", "-lbrotlidec"]),
    ("world.c", &[]),
    ("born.c", &[]),
    ("extra.c", &[]),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rustc-check-cfg=cfg(embedded_sample)");
    println!("cargo:rustc-cfg=embedded_sample");
    // As in omniglot-linux, whose build script says it of that crate's tests.
    for name in ["worker_processes", "in_process"] {
        println!("cargo:rustc-check-cfg=cfg({name})");
    }
    println!("cargo:rustc-cfg=worker_processes");
    for header in ["image", "sample_x86_64", "sample_aarch64"] {
        println!("cargo:rerun-if-changed=../../crates/omniglot-linux/tests/images/{header}.h");
    }
    let compile_all =
        |images: Images| images.iter().try_for_each(|(name, flags)| compile(name, flags));
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        println!("cargo:rustc-cfg=in_process");
        compile_all(IN_PROCESS)?;
    }
    compile_all(USUAL)
}

fn compile(name: &str, flags: &[&str]) -> Result<(), Box<dyn Error>> {
    let source = format!("../../crates/omniglot-linux/tests/images/{name}");
    println!("cargo:rerun-if-changed={source}");
    let object = PathBuf::from(env::var("OUT_DIR")?).join(format!("{name}.so"));
    let compiler = cc::Build::new().opt_level(1).cargo_metadata(false).try_get_compiler()?;
    let done = compiler
        .to_command()
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&object)
        .arg(&source)
        .args(flags)
        .status()?;
    if done.success() { Ok(()) } else { Err(format!("{name} does not compile").into()) }
}
