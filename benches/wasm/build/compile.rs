//! Runs the compiler, which is the same one for both machines, so that their ratio is not that of
//! two compilers.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command};

use crate::libraries::Library;

const COMPILER: &str = "clang-19";

/// Options for modules: what every current runtime supports.
const MODULE: &[&str] = &[
    "--target=wasm32-wasi",
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

/// The end of a module's name, and options.
type Kind = (&'static str, &'static [&'static str]);

/// Vectors of 128 bits for runtimes that know them; this wasm2c does not.
const KINDS: [Kind; 2] = [("", &["-msimd128"]), ("-scalar", &[])];

/// Returns the level of optimisation: this one, or none if what is compiled does not run, as for
/// clippy.
fn optimisation(level: u32) -> u32 {
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") { level } else { 0 }
}

/// Makes two modules of each library, with vectors and without.
pub(crate) fn modules(libraries: &[Library], out: &Path) -> Result<(), Box<dyn Error>> {
    KINDS.iter().try_for_each(|kind| modules_of(libraries, out, *kind))
}

/// Makes a module of each library, all at the same time.
fn modules_of(libraries: &[Library], out: &Path, kind: Kind) -> Result<(), Box<dyn Error>> {
    let started: Vec<Child> =
        libraries.iter().map(|library| module(library, out, kind)).collect::<Result<_, _>>()?;
    for (mut compiler, library) in started.into_iter().zip(libraries) {
        if !compiler.wait()?.success() {
            return Err(format!("{COMPILER} makes no module of {}", library.name).into());
        }
    }
    Ok(())
}

/// Starts the compiler for one module.
fn module(library: &Library, out: &Path, (kind, vectors): Kind) -> Result<Child, Box<dyn Error>> {
    let mut command = Command::new(COMPILER);
    let (files, options) = &library.module;
    command
        .arg(format!("-O{}", optimisation(3)))
        .args(MODULE)
        .args(vectors)
        .args(*options)
        .args(&library.files)
        .args(files);
    command.args(library.include.iter().flat_map(|path| [Path::new("-I"), path]));
    command.args(library.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    command.args(library.exports.iter().map(|name| format!("-Wl,--export={name}")));
    command.arg("-o").arg(out.join(format!("{}{kind}.wasm", library.name)));
    let hint = "`cargo xtask bench` installs what is needed";
    command.spawn().map_err(|error| format!("starting {COMPILER}: {error}; {hint}").into())
}

/// Makes a static library, and links it.
pub(crate) fn natively(library: &Library) {
    let (files, defines) = &library.native;
    let mut build = build(3);
    build.files(&library.files).files(files).includes(&library.include);
    for (name, value) in library.defines.iter().chain(*defines) {
        build.define(name, *value);
    }
    build.compile(library.name);
}

/// Returns how C is compiled natively: as distributions do, without frame pointers, which cargo's
/// settings for debugging would add.
pub(crate) fn build(level: u32) -> cc::Build {
    let mut build = cc::Build::new();
    build.compiler(COMPILER).opt_level(optimisation(level)).warnings(false);
    build.debug(false).force_frame_pointer(false);
    build
}
