//! The host, built in other ways: with the compiler's sanitizers, for musl, for libraries of musl.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::musl;

/// A way to build the host.
#[derive(Debug)]
pub(crate) struct Build {
    name: &'static str,
    target: &'static str,
    flags: &'static str,
    /// The C compiler, by the name of its variable, which decides for which C library the foreign
    /// libraries are.
    compiler: Option<(&'static str, &'static str)>,
    /// The foreign library is built from sources, for musl.
    has_own_library: bool,
    /// The compiler's own unwinder, in the place of one that is linked dynamically.
    has_own_unwinder: bool,
    /// The command `omniglot` is built in this way, too.
    has_doctor: bool,
}

const GLIBC: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

const SANITIZED: Build = Build {
    name: "",
    target: GLIBC,
    flags: "",
    compiler: None,
    has_own_library: false,
    has_own_unwinder: false,
    has_doctor: false,
};

pub(crate) const ADDRESS: Build =
    Build { name: "address", flags: "-Zsanitizer=address", ..SANITIZED };

/// The standard library is not instrumented. What is inlined from it is.
pub(crate) const THREAD: Build = Build {
    name: "thread",
    flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
    ..SANITIZED
};

const FOR_GLIBC: Option<(&str, &str)> = Some(("CC_x86_64_unknown_linux_musl", "gcc"));
const FOR_MUSL: Option<(&str, &str)> = Some(("CC_x86_64_unknown_linux_musl", "musl-gcc"));

/// Rust's default for the target.
pub(crate) const STATIC_MUSL_WITH_GLIBC: Build =
    Build { name: "musl", target: MUSL, compiler: FOR_GLIBC, has_doctor: true, ..SANITIZED };
pub(crate) const STATIC_MUSL_WITH_MUSL: Build = Build {
    name: "musl-musl",
    target: MUSL,
    compiler: FOR_MUSL,
    has_own_library: true,
    has_doctor: true,
    ..SANITIZED
};

const DYNAMIC: &str = "-Ctarget-feature=-crt-static -Clinker=musl-gcc";
pub(crate) const DYNAMIC_MUSL_WITH_GLIBC: Build = Build {
    name: "dynamic-musl",
    flags: DYNAMIC,
    has_own_unwinder: true,
    has_doctor: false,
    ..STATIC_MUSL_WITH_GLIBC
};
pub(crate) const DYNAMIC_MUSL_WITH_MUSL: Build = Build {
    name: "dynamic-musl-musl",
    flags: DYNAMIC,
    has_own_unwinder: true,
    has_doctor: false,
    ..STATIC_MUSL_WITH_MUSL
};

pub(crate) const GLIBC_WITH_MUSL: Build = Build {
    name: "glibc-musl",
    compiler: Some(("CC_x86_64_unknown_linux_gnu", "musl-gcc")),
    has_own_library: true,
    ..SANITIZED
};

/// Why the compiler has no sanitizers, if it has none.
pub(crate) fn lacks_sanitizers() -> Option<String> {
    let names = target_files(GLIBC);
    let has = |runtime: &str| names.iter().any(|name| name.ends_with(runtime));
    (!has("_rt.asan.a") || !has("_rt.tsan.a"))
        .then(|| "the compiler has no sanitizers (rustup's has)".to_owned())
}

/// Why the compiler cannot build for musl, if it cannot.
pub(crate) fn lacks_musl() -> Option<String> {
    (!has_standard_library(MUSL))
        .then(|| format!("no standard library for musl (rustup target add {MUSL})"))
}

/// Whether the compiler has a standard library for a target.
#[must_use]
pub fn has_standard_library(target: &str) -> bool {
    target_files(target).iter().any(|name| name.starts_with("libstd-"))
}

fn target_files(target: &str) -> Vec<String> {
    let files = target_directory(target).and_then(|directory| Ok(directory.read_dir()?));
    let names = files.into_iter().flatten().flatten();
    names.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

/// Where the compiler has its libraries for a target.
fn target_directory(target: &str) -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", target]).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

impl Build {
    /// Builds the host, and returns its command. The stable compiler's unstable options are enabled.
    pub(crate) fn host(&self) -> Result<Vec<OsString>> {
        let mut host = vec![self.program("omniglot-places", "omniglot-place")?.into()];
        if self.has_own_library {
            host.extend(["--libraries".into(), musl::libraries()?.join("lib").into()]);
        }
        Ok(host)
    }

    /// The command `omniglot`, if it is built in this way, too.
    pub(crate) fn doctor(&self) -> Result<Option<PathBuf>> {
        self.has_doctor.then(|| self.program("omniglot-cli", "omniglot")).transpose()
    }

    fn program(&self, package: &str, name: &str) -> Result<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let root = root.context("the workspace is two directories above")?;
        let target = root.join("target/checked").join(self.name);
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--locked", "--package", package, "--bin", name]);
        command.args(["--target", self.target]).current_dir(root);
        command.env("CARGO_TARGET_DIR", &target).env("RUSTC_BOOTSTRAP", "1");
        command.env("RUSTFLAGS", self.flags()?).envs(self.compiler);
        if self.target == MUSL {
            command.env("PKG_CONFIG_ALLOW_CROSS", "1");
        }
        if self.has_own_library {
            command.env("PKG_CONFIG_PATH", musl::libraries()?.join("pkgconfig"));
        }
        let output = command.output().context("could not start cargo")?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr);
            let last: Vec<&str> = messages.trim_end().lines().rev().take(5).collect();
            bail!("building {name} for {} failed: {}", self.name, last.join(" / "));
        }
        Ok(target.join(self.target).join("debug").join(name))
    }

    fn flags(&self) -> Result<String> {
        if !self.has_own_unwinder {
            return Ok(self.flags.to_owned());
        }
        let unwinder = target_directory(self.target)?.join("self-contained/libunwind.a");
        Ok(format!("{} -Lnative={}", self.flags, musl::unwinder(&unwinder)?.display()))
    }
}
