//! The image for software fault isolation: the library's sources and shims, compiled apart, and
//! static archives, rewritten so that they stay in their memory, and put behind the shared object.
//!
//! Nothing of this is trusted: who loads the image verifies it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use omniglot_sfi::layer::{self, Layer};
use omniglot_sfi::{Problem, Rewriter};

use super::{Compiler, Embedded, is_cpp, text};
use crate::error::{Error, Result};
use crate::link::Link;
use crate::paths;

/// What ends an image that a sandboxed one is part of, as `omniglot_core::SANDBOXED`.
const MARK: [u8; 8] = *b"omni-sfi";

/// Tells sources that they are compiled for that image.
const DEFINED: &str = "-DOMNIGLOT_SANDBOXED=1";

/// The archives of a library and of those that it needs.
#[derive(Default)]
struct Archives {
    found: Vec<PathBuf>,
    /// What the linker links, as `-lfoo`, and has no archive.
    lacking: Vec<String>,
}

impl Compiler<'_> {
    /// Compiles sources and shims once more, rewrites them and the archives, and appends what comes
    /// of it to the shared object.
    pub(crate) fn append_sandboxed(&self, shims: &Path, image: &Path) -> Result<Embedded> {
        if self.memory.is_some() || !self.target.triple().starts_with("x86_64-") {
            return Ok(Embedded::default()); // there is no such runtime
        }
        let archives = self.static_archives()?;
        let (sandboxed, warning) = self.sandboxed(shims, &archives)?;
        let failed = |error| Error::File { path: image.to_owned(), error };
        let mut bytes = std::fs::read(image).map_err(failed)?;
        bytes.extend_from_slice(&sandboxed);
        bytes.extend_from_slice(&(sandboxed.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&MARK);
        std::fs::write(image, bytes).map_err(failed)?;
        let mut archives = archives.found;
        archives.push(layer::libc());
        Ok(Embedded { archives, warning })
    }

    /// The image, and what is wrong with it.
    fn sandboxed(&self, shims: &Path, archives: &Archives) -> Result<(Vec<u8>, Option<String>)> {
        if self.options.sources.iter().any(|source| is_cpp(source)) {
            let message = "C++ sources cannot be rewritten yet".to_owned();
            return Err(Error::Sandbox { message });
        }
        let compiler = || self.tool.to_command();
        let mut rewriter = Rewriter::new();
        rewriter.add_layer(Layer::Musl, &self.directory, &compiler).map_err(refused)?;
        let sources = self.options.sources.iter().map(|source| paths::in_package(source));
        let own: Vec<PathBuf> = [shims.to_owned()].into_iter().chain(sources).collect();
        for source in &own {
            self.add(&mut rewriter, source)?;
        }
        for archive in &archives.found {
            rewriter.archive_file(archive).map_err(refused)?;
        }
        rewriter.add_libraries(Layer::Musl, &compiler).map_err(refused)?;
        rewriter.trap_unsupported();
        let image = rewriter.rewrite().map_err(|error| not_rewritten(&error, &archives.lacking))?;
        // What the user can change is refused, what the distribution compiled is not.
        let own: BTreeSet<_> = own.iter().map(|source| source.to_string_lossy()).collect();
        let (own, theirs) =
            image.trapped.into_iter().partition(|problem| own.contains(problem.object.as_str()));
        if !Vec::is_empty(&own) {
            return Err(refused(omniglot_sfi::Error { problems: own }));
        }
        Ok((image.bytes, warning(&theirs, &self.options.known_stops)))
    }

    /// Compiles a source, and adds the object.
    fn add(&self, rewriter: &mut Rewriter, source: &Path) -> Result<()> {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let object = self.directory.join(format!("sandboxed_{stem}.o"));
        let mut compile = self.compile(&self.tool, source, &object);
        compile.args(layer::BEST_FLAGS).arg(DEFINED);
        let output = self.run(compile)?;
        if !output.status.success() {
            return Err(Error::Source { output: text(&output) });
        }
        let bytes =
            std::fs::read(&object).map_err(|error| Error::File { path: object.clone(), error })?;
        rewriter.object(&source.to_string_lossy(), &bytes).map_err(refused)?;
        Ok(())
    }

    /// The archives of all that is linked, which is more than for shared libraries: those do not
    /// say what they need themselves.
    fn static_archives(&self) -> Result<Archives> {
        let link = Link::of_archives(self.options)?;
        let mut archives = Archives { found: self.archives()?, ..Archives::default() };
        for file in link.arguments.iter().map(PathBuf::from) {
            if file.extension().is_some_and(|ending| ending == "a") {
                archives.add(file);
            } else {
                archives.lacking.push(file.display().to_string());
            }
        }
        for name in link.libraries.iter().filter(|name| !layer::is_in_libc(name)) {
            match self.find_archive(&link.searches, &format!("lib{name}.a"))? {
                Some(path) => archives.add(path),
                None => archives.lacking.push(format!("-l{name} (lib{name}.a)")),
            }
        }
        Ok(archives)
    }
}

impl Archives {
    fn add(&mut self, path: PathBuf) {
        if !self.found.contains(&path) {
            self.found.push(path);
        }
    }
}

/// A sentence about instructions of archives that stop the library in other functions than the
/// `known` ones, or about one of these in which there are none.
fn warning(problems: &[Problem], known: &[String]) -> Option<String> {
    let symbol = |problem: &Problem| problem.symbol.clone().unwrap_or_default();
    let wrong =
        known.iter().find(|known| problems.iter().all(|problem| symbol(problem) != **known));
    if let Some(wrong) = wrong {
        return Some(format!(
            ".known_stop(\"{wrong}\") names no function with instructions that cannot be rewritten"
        ));
    }
    let is_unknown = |problem: &&Problem| !known.contains(&symbol(problem));
    let unknown: Vec<&Problem> = problems.iter().filter(is_unknown).collect();
    stops(&unknown)
}

/// A sentence about instructions of archives that stop the library.
fn stops(problems: &[&Problem]) -> Option<String> {
    let first = problems.first()?;
    let symbols: BTreeSet<_> =
        problems.iter().map(|problem| (&problem.object, &problem.symbol)).collect();
    Some(format!(
        "with Isolation::Sfi a call ends when it executes an instruction that cannot be rewritten; \
         there are such instructions: {}, in functions: {}; the first is {first}",
        problems.len(),
        symbols.len(),
    ))
}

fn not_rewritten(error: &omniglot_sfi::Error, lacking: &[String]) -> Error {
    if lacking.is_empty() {
        return Error::Sandbox { message: error.to_string() };
    }
    let message = format!(
        "there is no static archive of {}: install the package that has it (Debian, Ubuntu: \
         usually the -dev package; Fedora: usually the -static package), name the archive with \
         .archive(\"PATH\"), or give the library's C sources with .source instead. Without it, \
         {error}",
        lacking.join(", ")
    );
    Error::Sandbox { message }
}

fn refused(error: omniglot_sfi::Error) -> Error {
    Error::Sandbox { message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use omniglot_sfi::Problem;

    use super::warning;

    fn problem_in(symbol: &str) -> Problem {
        Problem {
            object: "libx.a(x.o)".to_owned(),
            section: Some(".text".to_owned()),
            symbol: Some(symbol.to_owned()),
            offset: 0,
            instruction: None,
            what: "an instruction".to_owned(),
            remedy: "none",
        }
    }

    #[test]
    fn known_functions_give_no_warning() {
        let problems = ["fast", "fast", "faster"].map(problem_in);
        let said = |known: &[&str]| {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            warning(&problems, &known)
        };
        assert!(said(&[]).is_some_and(|said| said.contains("instructions: 3, in functions: 2")));
        assert!(said(&["fast"]).is_some_and(|said| said.contains("instructions: 1, in functions")));
        assert_eq!(said(&["fast", "faster"]), None);
        let wrong = said(&["fast", "faster", "fastest"]);
        assert!(wrong.is_some_and(|said| said.contains(".known_stop(\"fastest\")")));
    }
}
