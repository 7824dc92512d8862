//! What every image needs besides the library: the layer, which is C code, and the C library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Rewriter;
use crate::error::{Error, Problem};

/// Files below `layer/worker`.
macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../layer/worker/", $path)))),*]
    };
}

/// Start-up code: it calls constructors, and ends the library if its stack protector fails. Every
/// image with constructors needs it.
pub const START: &str = include_str!("../layer/start.c");

/// `memcpy` and similar functions, which compilers call implicitly.
pub const MEMORY: &str = include_str!("../layer/memory.c");

/// What musl's `libc.a` needs to run in a region, and the names that objects use which were
/// compiled with glibc's headers (`__memcpy_chk` and similar ones). Use it only with that archive.
pub const LIBC: &str = include_str!("../layer/libc.c");

/// `malloc` and similar functions: what is freed is used again, and given back to the host beyond 32
/// MiB in one piece. Use it with [`LIBC`].
pub const MALLOC: &str = include_str!("../layer/malloc.c");

/// The way to the system-call server, with [`SERVER`] in a directory `worker` beside it.
const SERVE: &str = include_str!("../layer/server.c");

/// The system-call server, which other runtimes have in their loaders: paths and contents.
const SERVER: &[(&str, &str)] = &sources![
    "control.h",
    "system.h",
    "machine/machine.h",
    "machine/x86_64.h",
    "machine/context.h",
    "machine/x86_64_context.h",
    "server/server.h",
    "server/tree.h",
    "server/access.c",
    "server/entry.c",
    "server/files.c",
    "server/identity.c",
    "server/memory.c",
    "server/names.c",
    "server/random.c",
    "server/ranges.c",
    "server/requests.c",
    "server/scratch.c",
    "server/signals.c",
    "server/table.c",
    "server/threads.c",
    "server/time.c",
    "server/tree.c",
];

/// Flags for compiling it, besides [`FLAGS`]: callers' vector registers stay as they are, as in a
/// system call, and calls that look like instructions need the red zone.
const SERVER_FLAGS: [&str; 4] =
    ["-DIN_REGION", "-mgeneral-regs-only", "-mno-red-zone", "-fno-tree-loop-distribute-patterns"];

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
        let mut sources = Vec::new();
        for (name, content) in parts {
            let source = format!("layer_{name}.c");
            write(&directory.join(&source), content)?;
            sources.push(source);
        }
        for (name, bytes) in compiled(directory, &sources, &[], compiler)? {
            self.object(&name, &bytes)?;
        }
        if layer == Layer::Musl {
            self.add_server(directory, compiler)?;
        }
        Ok(self)
    }

    /// Adds the system-call server, whose names are its own.
    fn add_server(
        &mut self,
        directory: &Path,
        compiler: &dyn Fn() -> Command,
    ) -> Result<(), Error> {
        write(&directory.join("layer_server.c"), SERVE)?;
        let mut sources = vec!["layer_server.c".to_owned()];
        for (path, content) in SERVER {
            let place = Path::new("worker").join(path);
            write(&directory.join(&place), content)?;
            if place.extension().is_some_and(|ending| ending == "c") {
                sources.push(place.to_string_lossy().into_owned());
            }
        }
        let objects = compiled(directory, &sources, &SERVER_FLAGS, compiler)?;
        self.unit(&objects, "omniglot_sfi_", "omniglot_server.")
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

/// Compiles sources in a directory: the objects, each with its source's name.
fn compiled(
    directory: &Path,
    sources: &[String],
    flags: &[&str],
    compiler: &dyn Fn() -> Command,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut command = compiler();
    command.args(FLAGS).args(flags).arg("-c").args(sources).current_dir(directory);
    run(command)?;
    let mut objects = Vec::new();
    for source in sources {
        let name = Path::new(source).with_extension("o");
        let object = directory.join(name.file_name().unwrap_or_default());
        let bytes = std::fs::read(&object).map_err(|error| of_file(&object, &error))?;
        objects.push((directory.join(source).to_string_lossy().into_owned(), bytes));
    }
    Ok(objects)
}

fn write(path: &Path, content: &str) -> Result<(), Error> {
    let failed = |error| of_file(path, &error);
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    std::fs::write(path, content).map_err(failed)
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
