//! Runs the compiler, which is the same one for both machines, so that their ratio is not that of
//! two compilers.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command};

use crate::libraries::Library;

const COMPILER: &str = "clang-19";

/// Options for modules: what every current runtime supports, vectors included.
const MODULE: &[&str] = &[
    "--target=wasm32-wasi",
    "-O3",
    "-msimd128",
    "-mbulk-memory",
    "-mnontrapping-fptoint",
    "-mexec-model=reactor",
    "-w",
    "-Wl,--strip-all",
    "-Wl,--export-table",
    // The host adds its callbacks.
    "-Wl,--growable-table",
    "-Wl,--export=malloc",
];

/// Makes a module of each library, all at the same time.
pub(crate) fn modules(libraries: &[Library], out: &Path) -> Result<(), Box<dyn Error>> {
    let started: Vec<Child> =
        libraries.iter().map(|library| module(library, out)).collect::<Result<_, _>>()?;
    for (mut compiler, library) in started.into_iter().zip(libraries) {
        if !compiler.wait()?.success() {
            return Err(format!("{COMPILER} makes no module of {}", library.name).into());
        }
    }
    Ok(())
}

/// Starts the compiler for one module.
fn module(library: &Library, out: &Path) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(COMPILER);
    let (files, options) = &library.module;
    command.args(MODULE).args(*options).args(&library.files).args(files);
    command.args(library.include.iter().flat_map(|path| [Path::new("-I"), path]));
    command.args(library.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    command.args(library.exports.iter().map(|name| format!("-Wl,--export={name}")));
    command.arg("-o").arg(out.join(library.name).with_extension("wasm"));
    let hint = "`cargo xtask bench` installs what is needed";
    command.spawn().map_err(|error| format!("starting {COMPILER}: {error}; {hint}").into())
}

/// Makes a static library, and links it.
pub(crate) fn natively(library: &Library) {
    let (files, defines) = &library.native;
    let mut build = cc::Build::new();
    build.compiler(COMPILER).opt_level(3).warnings(false).files(&library.files).files(files);
    build.includes(&library.include);
    for (name, value) in library.defines.iter().chain(*defines) {
        build.define(name, *value);
    }
    build.compile(library.name);
}
