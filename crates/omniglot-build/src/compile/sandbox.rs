//! The image for software fault isolation: the library's sources and shims, compiled apart,
//! rewritten so that they stay in their memory, and put behind the shared object.
//!
//! Nothing of this is trusted: who loads the image verifies it.

use std::path::{Path, PathBuf};
use std::process::Command;

use omniglot_sfi::{Rewriter, layer};

use super::{Compiler, is_cpp, text};
use crate::error::{Error, Result};
use crate::{output, paths};

/// What ends an image that a sandboxed one is part of, as `omniglot_core::SANDBOXED`.
const MARK: [u8; 8] = *b"omni-sfi";

/// Tells sources that they are compiled for that image.
const DEFINED: &str = "-DOMNIGLOT_SANDBOXED=1";

/// Where Debian's musl-dev has the C library.
const LIBC: &str = "/usr/lib/x86_64-linux-musl/libc.a";

impl Compiler<'_> {
    /// Compiles sources and shims once more, rewrites them, and appends what comes of it to the
    /// shared object.
    pub(crate) fn append_sandboxed(&self, shims: &Path, image: &Path) -> Result<()> {
        if self.memory.is_some() || !self.target.triple().starts_with("x86_64-") {
            return Ok(()); // there is no such runtime
        }
        let sandboxed = self.sandboxed(shims)?;
        let failed = |error| Error::File { path: image.to_owned(), error };
        let mut bytes = std::fs::read(image).map_err(failed)?;
        bytes.extend_from_slice(&sandboxed);
        bytes.extend_from_slice(&(sandboxed.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&MARK);
        std::fs::write(image, bytes).map_err(failed)
    }

    fn sandboxed(&self, shims: &Path) -> Result<Vec<u8>> {
        self.check_sandboxed()?;
        let mut rewriter = Rewriter::new();
        let parts = [("start", layer::START), ("memory", layer::MEMORY), ("libc", layer::LIBC)];
        for (name, content) in parts {
            let source = self.directory.join(format!("sandboxed_{name}.c"));
            output::write(&source, content)?;
            self.add(&mut rewriter, &source, &layer::FLAGS)?;
        }
        self.add(&mut rewriter, shims, &layer::BEST_FLAGS)?;
        for source in &self.options.sources {
            self.add(&mut rewriter, &paths::in_package(source), &layer::BEST_FLAGS)?;
        }
        for archive in [self.compilers_archive()?, PathBuf::from(LIBC)] {
            let bytes = std::fs::read(&archive).map_err(|error| missing(&archive, &error))?;
            rewriter.archive(&archive.to_string_lossy(), &bytes).map_err(refused)?;
        }
        Ok(rewriter.rewrite().map_err(refused)?.bytes)
    }

    /// Checks that there is nothing but C sources.
    fn check_sandboxed(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::Sandbox { message: message.to_owned() });
        if self.options.sources.is_empty() || !self.link.libraries.is_empty() {
            return wrong(
                "the library must be given by its sources (Library::source), not linked: shared \
                 libraries cannot be rewritten",
            );
        }
        if self.options.sources.iter().any(|source| is_cpp(source)) {
            return wrong("C++ sources cannot be rewritten yet");
        }
        Ok(())
    }

    /// Compiles a source, and adds the object.
    fn add(&self, rewriter: &mut Rewriter, source: &Path, flags: &[&str]) -> Result<()> {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let object = self.directory.join(format!("sandboxed_{stem}.o"));
        let mut compile = self.compile(&self.tool, source, &object);
        compile.args(flags).arg(DEFINED);
        let output = self.run(compile)?;
        if !output.status.success() {
            return Err(Error::Source { output: text(&output) });
        }
        let bytes =
            std::fs::read(&object).map_err(|error| Error::File { path: object.clone(), error })?;
        rewriter.object(&source.to_string_lossy(), &bytes).map_err(refused)?;
        Ok(())
    }

    /// What compilers call for operations that processors do not have.
    fn compilers_archive(&self) -> Result<PathBuf> {
        let mut ask: Command = self.tool.to_command();
        ask.arg("-print-libgcc-file-name");
        let output = self.run(ask)?;
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }
}

fn missing(archive: &Path, error: &std::io::Error) -> Error {
    let message = format!(
        "{}: {error}. On Debian and Ubuntu the C library for it is in the package musl-dev",
        archive.display()
    );
    Error::Sandbox { message }
}

fn refused(error: omniglot_sfi::Error) -> Error {
    Error::Sandbox { message: error.to_string() }
}
