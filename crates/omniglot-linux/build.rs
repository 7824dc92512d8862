//! Compiles the two programs of the worker, and a library to try it out with, for embedding.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cc::Tool;

/// A failure as one readable paragraph: cargo prints it with `Debug`.
struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(format!("omniglot-linux could not read its worker's sources: {error}"))
    }
}

impl From<env::VarError> for Failure {
    fn from(error: env::VarError) -> Self {
        Self(format!("cargo did not set a variable that build scripts get: {error}"))
    }
}

/// The stub runs before there is a libc, or anything at a known address.
const STUB_FLAGS: &[&str] = &[
    "-DSTUB",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-pie",
    "-no-pie",
    "-static",
    "-nostdlib",
];

/// The loader is an ordinary program, which has the compiler's unwinder in it.
const LOADER_FLAGS: &[&str] = &["-fPIE", "-pie", "-Wl,-z,now", "-ldl", "-static-libgcc"];

/// A library to try workers out with.
const TRIAL_FLAGS: &[&str] = &["-shared", "-fPIC", "-s"];

/// In the host's process its server saves general registers only (`serve_interrupted`), so it uses no
/// others; and no canary of a thread that may have none.
const SERVER_FLAGS: &[&str] = &["-mgeneral-regs-only", "-fno-stack-protector"];

/// The architectures on which hosts may be linked against musl: those where that was tested.
const MUSL: &[&str] = &["x86_64"];

/// The architecture on which hosts can run a library themselves.
const IN_PROCESS: &str = "x86_64";

fn main() -> Result<(), Failure> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=worker");
    // Set where the tests are built with their library inside.
    println!("cargo:rustc-check-cfg=cfg(embedded_sample)");
    println!("cargo:rustc-check-cfg=cfg(worker_processes)");
    println!("cargo:rustc-check-cfg=cfg(in_process)");
    for variable in compilers(&env::var("TARGET")?) {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let Some(machine) = machine()? else {
        return Ok(());
    };
    println!("cargo:rustc-cfg=worker_processes");
    let hands_off = env::var("CARGO_CFG_TARGET_ARCH")? == IN_PROCESS;
    if hands_off
        && env::var("CARGO_CFG_TARGET_ENV")? == "gnu"
        && env::var_os("CARGO_FEATURE_IN_PROCESS").is_some()
    {
        println!("cargo:rustc-cfg=in_process");
    }
    let compiler = compiler()?;
    compile(&compiler, "stub", &["stub"], Some(&machine), STUB_FLAGS)?;
    let more = if hands_off { SERVER_FLAGS } else { &[] };
    let loader_flags = [LOADER_FLAGS, more].concat();
    compile(&compiler, "loader", &["loader", "server"], Some(&machine), &loader_flags)?;
    compile(&compiler, "trial", &["trial"], None, TRIAL_FLAGS)
}

/// The variables that name the C compiler: it decides, among others, of which C library workers are.
fn compilers(target: &str) -> Vec<String> {
    let names = |name: &str| {
        let of_target = [target.to_owned(), target.replace('-', "_")];
        let own = of_target.map(|target| format!("{name}_{target}"));
        own.into_iter().chain([format!("TARGET_{name}"), format!("HOST_{name}"), name.to_owned()])
    };
    names("CC").chain(names("CFLAGS")).collect()
}

/// The assembly file for the target, if there are worker processes.
fn machine() -> Result<Option<PathBuf>, Failure> {
    let name = env::var("CARGO_CFG_TARGET_ARCH")?;
    let has_libc = match env::var("CARGO_CFG_TARGET_ENV")?.as_str() {
        "gnu" => true,
        "musl" => MUSL.contains(&&*name),
        _ => false,
    };
    let has_system = has_libc
        && env::var("CARGO_CFG_TARGET_OS")? == "linux"
        && env::var("CARGO_CFG_TARGET_ENDIAN")? == "little"
        && env::var("CARGO_CFG_TARGET_POINTER_WIDTH")? == "64";
    let name = format!("worker/machine/{name}.S");
    Ok(Some(PathBuf::from(name)).filter(|file| has_system && file.exists()))
}

/// The C compiler with the flags that all programs have. To find out which it takes costs some runs
/// of it, so this is done once.
fn compiler() -> Result<Tool, Failure> {
    cc::Build::new()
        .cargo_metadata(false)
        .cargo_warnings(false)
        .opt_level(2)
        .debug(false)
        // With a sanitizer the host is built, not the worker, where there is none of its runtime.
        .flag("-fno-sanitize=address")
        // Atomic operations as instructions: AArch64's functions for them are in a library that the
        // stub does not have, and ask libc for the processor's features.
        .flag_if_supported("-mno-outline-atomics")
        .try_get_compiler()
        .map_err(|error| missing_compiler(&error.to_string()))
}

/// Compiles the sources of these directories, and of that file, to one program.
fn compile(
    compiler: &Tool,
    name: &str,
    directories: &[&str],
    machine: Option<&Path>,
    flags: &[&str],
) -> Result<(), Failure> {
    let mut sources: Vec<PathBuf> = machine.map(Path::to_owned).into_iter().collect();
    for directory in directories {
        sources.extend(sources_in(&Path::new("worker").join(directory))?);
    }
    let program = PathBuf::from(env::var("OUT_DIR")?).join(name);
    let output = compiler
        .to_command()
        .args(["-O2", "-g0", "-std=gnu11", "-Wall", "-Wextra", "-o"])
        .arg(&program)
        .args(kernel_headers(compiler.path())?)
        .args(sources)
        .args(flags)
        .output()
        .map_err(|error| missing_compiler(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(missing_compiler(&String::from_utf8_lossy(&output.stderr)))
}

/// Where Debian has the kernel's headers, behind all other directories: its compiler for musl looks in
/// musl's own only.
fn kernel_headers(compiler: &Path) -> Result<Vec<String>, Failure> {
    let name = compiler.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains("musl") {
        return Ok(Vec::new());
    }
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let places = ["/usr/include".to_owned(), format!("/usr/include/{architecture}-linux-gnu")];
    Ok(places.into_iter().flat_map(|place| ["-idirafter".to_owned(), place]).collect())
}

fn sources_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("c")) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

fn missing_compiler(what_happened: &str) -> Failure {
    let target = env::var("TARGET").unwrap_or_default();
    let (packages, variable) = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("aarch64") if env::var("HOST").is_ok_and(|host| host != target) => {
            ("gcc-aarch64-linux-gnu libc6-dev-arm64-cross", "CC_aarch64_unknown_linux_gnu")
        }
        _ if target.ends_with("-musl") => {
            ("musl-tools linux-libc-dev", "CC_x86_64_unknown_linux_musl")
        }
        _ => ("gcc libc6-dev", "CC"),
    };
    Failure(format!(
        "omniglot-linux needs a C compiler for {target} with the headers of the C library and \
         of the kernel, to build the program that runs foreign libraries. On Debian and Ubuntu: apt \
         install {packages}; on Fedora: dnf install gcc glibc-devel; the variable {variable} names \
         another compiler. What happened: {what_happened}"
    ))
}
