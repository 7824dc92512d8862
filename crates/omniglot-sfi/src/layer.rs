//! What every image needs besides the library: the layer, which is C code, and the C library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Rewriter;
use crate::error::{Error, Problem};

/// Start-up code: it calls constructors, and ends the library if its stack protector fails. Every
/// image with constructors needs it.
pub const START: &str = include_str!("../layer/start.c");

/// `memcpy` and similar functions, which compilers call implicitly.
pub const MEMORY: &str = include_str!("../layer/memory.c");

/// What musl's `libc.a` needs to run in a region, and the names that objects use which were
/// compiled with glibc's headers (`__memcpy_chk` and similar ones). Use it only with that archive.
pub const LIBC: &str = include_str!("../layer/libc.c");

/// `malloc` and similar functions: what is freed is used again, and given back to the host beyond a
/// few MiB. Use it with [`LIBC`].
pub const MALLOC: &str = include_str!("../layer/malloc.c");

/// Flags for compiling these four with gcc or clang.
pub const FLAGS: [&str; 11] = [
    // Otherwise a newer compiler's C23 makes glibc's headers name functions that only glibc has.
    "-std=gnu17",
    "-O2",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-pic",
    "-fno-pie",
    "-mcmodel=small",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-U_FORTIFY_SOURCE",
    "-w",
];

/// Flags that make rewritten code smaller and faster. Code without them is rewritten, too, unless
/// it has a jump table that is not understood.
pub const BEST_FLAGS: [&str; 6] = [
    "-fno-pic",
    "-fno-pie",
    "-mcmodel=small",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
];

/// The directory of musl's archives in Debian and Ubuntu, with the package `musl-dev`. Those beside
/// `libc.a` are empty: it has what other C libraries have in `libm.a` or `libpthread.a`.
const MUSL: &str = "/usr/lib/x86_64-linux-musl";

/// Which parts of the layer an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Those without a C library.
    Freestanding,
    /// Those with musl.
    Musl,
}

const COMPILER: &str = "name a gcc or clang for x86-64 Linux";

impl Rewriter {
    /// Compiles the layer in `directory`, and adds the objects. `compiler` starts a C compiler
    /// (gcc or clang) with the arguments that select x86-64.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use std::process::Command;
    /// use omniglot_sfi::{Rewriter, layer::Layer};
    ///
    /// # fn main() -> Result<(), omniglot_sfi::Error> {
    /// let compiler = || Command::new("gcc");
    /// let mut rewriter = Rewriter::new();
    /// rewriter.add_layer(Layer::Musl, Path::new("/tmp"), &compiler)?;
    /// // ... objects and archives of the library, and at last:
    /// rewriter.add_libraries(Layer::Musl, &compiler)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The compiler cannot be started, or does not compile it.
    pub fn add_layer(
        &mut self,
        layer: Layer,
        directory: &Path,
        compiler: &dyn Fn() -> Command,
    ) -> Result<&mut Self, Error> {
        let mut parts = vec![("start", START), ("memory", MEMORY)];
        if layer == Layer::Musl {
            parts.extend([("libc", LIBC), ("malloc", MALLOC)]);
        }
        for (name, content) in parts {
            let source = directory.join(format!("layer_{name}.c"));
            let object = source.with_extension("o");
            std::fs::write(&source, content).map_err(|error| of_file(&source, &error))?;
            let mut command = compiler();
            command.args(FLAGS).arg("-c").arg(&source).arg("-o").arg(&object);
            run(command)?;
            let bytes = std::fs::read(&object).map_err(|error| of_file(&object, &error))?;
            self.object(&source.to_string_lossy(), &bytes)?;
        }
        Ok(self)
    }

    /// Adds the archives that every library may need, behind its own: the compiler's, for
    /// operations that processors lack, and the C library.
    ///
    /// # Errors
    /// The compiler cannot be started, or an archive is missing; then the error says how to get it.
    pub fn add_libraries(
        &mut self,
        layer: Layer,
        compiler: &dyn Fn() -> Command,
    ) -> Result<&mut Self, Error> {
        let mut command = compiler();
        command.arg("-print-libgcc-file-name");
        let output = run(command)?;
        self.archive_file(Path::new(String::from_utf8_lossy(&output.stdout).trim()))?;
        if layer == Layer::Musl {
            self.archive_file(&libc())?;
        }
        Ok(self)
    }

    /// Reads an archive, and adds it.
    ///
    /// # Errors
    /// As for [`archive`](Self::archive), and what the system says about the file.
    pub fn archive_file(&mut self, path: &Path) -> Result<&mut Self, Error> {
        let bytes = std::fs::read(path).map_err(|error| of_file(path, &error))?;
        self.archive(&path.to_string_lossy(), &bytes)
    }
}

/// The path of musl's `libc.a`.
#[must_use]
pub fn libc() -> PathBuf {
    Path::new(MUSL).join("libc.a")
}

/// Whether musl's `libc.a` has what other C libraries have in `lib{name}.a`.
#[must_use]
pub fn is_in_libc(name: &str) -> bool {
    Path::new(MUSL).join(format!("lib{name}.a")).is_file()
}

fn run(mut command: Command) -> Result<Output, Error> {
    let program = PathBuf::from(command.get_program());
    command.env("LC_ALL", "C");
    let output = command.output().map_err(|error| {
        Problem::of_object(&program.to_string_lossy(), error.to_string(), COMPILER)
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("does not compile the layer ({})", said.trim());
    Err(Problem::of_object(&program.to_string_lossy(), what, COMPILER).into())
}

fn of_file(path: &Path, error: &std::io::Error) -> Error {
    let remedy = if path.starts_with(MUSL) {
        "install musl, the C library for images (Debian, Ubuntu: `apt install musl-dev`)"
    } else {
        "name a file that can be read and written"
    };
    Problem::of_object(&path.to_string_lossy(), error.to_string(), remedy).into()
}
