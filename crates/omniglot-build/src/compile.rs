//! Compiles the shims and links them with the library into the image.
//!
//! For Linux that is a shared object; for a machine without an operating system it is
//! everything, the C library included, linked to one region of memory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::flat::{self, Memory, SPECS};
use crate::link::Link;
use crate::options::Options;
use crate::scalar::Target;
use crate::{Error, Result, diagnostics, output, paths};

/// What linking came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The image is there.
    Linked,
    /// The header declares functions that cannot be called: the generated C functions
    /// that call them, each with the reason.
    Uncallable(BTreeSet<(String, String)>),
}

/// The C compiler with the options of one library.
pub(crate) struct Compiler<'a> {
    options: &'a Options,
    link: &'a Link,
    build: cc::Build,
    tool: cc::Tool,
    directory: PathBuf,
    /// Where a flat image is linked to.
    memory: Option<Memory>,
}

impl<'a> Compiler<'a> {
    /// Finds the C compiler. Objects go to `directory`.
    pub(crate) fn new(
        options: &'a Options,
        link: &'a Link,
        target: &Target,
        directory: &Path,
    ) -> Result<Self> {
        let memory = options.region().filter(|_| target.is_bare());
        memory.map_or(Ok(()), |memory| memory.check())?;
        let mut build = cc::Build::new();
        build
            .cargo_metadata(false)
            .cargo_warnings(false)
            .cargo_debug(false)
            .target(target.triple())
            .host(&host(target))
            .out_dir(directory)
            .opt_level(2)
            .debug(false)
            .warnings(false)
            .pic(memory.is_none());
        let tool = found(&build)?;
        Ok(Self { options, link, build, tool, directory: directory.to_owned(), memory })
    }

    /// The C++ compiler.
    fn cpp(&self) -> Result<cc::Tool> {
        found(self.build.clone().cpp(true))
    }

    /// Compiles the user's C sources.
    pub(crate) fn sources(&self) -> Result<Vec<PathBuf>> {
        let mut objects = Vec::new();
        for (index, source) in self.options.sources.iter().enumerate() {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let object = self.directory.join(format!("{index}_{stem}.o"));
            let tool = if is_cpp(source) { &self.cpp()? } else { &self.tool };
            let output = self.run(self.compile(tool, &paths::in_package(source), &object))?;
            if !output.status.success() {
                return Err(Error::Source { output: text(&output) });
            }
            objects.push(object);
        }
        Ok(objects)
    }

    /// Compiles the shims and links everything into `image`.
    pub(crate) fn image(&self, shims: &Path, sources: &[PathBuf], image: &Path) -> Result<Outcome> {
        let object = shims.with_extension("o");
        let mut compile = self.compile(&self.tool, shims, &object);
        // Each shim in a section of its own: the linker's messages then name it.
        compile.args(["-ffunction-sections", "-fvisibility=hidden"]);
        let output = self.run(compile)?;
        if !output.status.success() {
            return rejected(shims, &text(&output));
        }
        let output = match &self.memory {
            None => self.link_shared(&object, sources, image)?,
            Some(memory) => self.link_flat(memory, &object, sources, image)?,
        };
        if output.status.success() {
            return Ok(Outcome::Linked);
        }
        judge(&text(&output))
    }

    fn link_shared(&self, object: &Path, sources: &[PathBuf], image: &Path) -> Result<Output> {
        let mut link = self.linker()?;
        // `-Bsymbolic`: a C source's own functions win over libc's of the same name.
        link.args(["-shared", "-Wl,-z,defs", "-Wl,-z,noexecstack", "-Wl,-Bsymbolic"]);
        // Where calls of other libraries go is then constant, so that it can be followed.
        link.args(["-Wl,-z,relro", "-Wl,-z,now", "-o"]);
        link.arg(image);
        link.arg(object).args(sources).args(self.link.linker_arguments());
        self.run(link)
    }

    /// Links to the region, beside which the ELF file stays for looking up addresses.
    fn link_flat(
        &self,
        memory: &Memory,
        object: &Path,
        sources: &[PathBuf],
        image: &Path,
    ) -> Result<Output> {
        let (script, elf) = (memory.write_script(image)?, image.with_extension("elf"));
        let mut link = self.linker()?;
        link.args([SPECS, "-nostartfiles", "-static", "-Wl,--gc-sections", "-Wl,--no-relax"]);
        link.arg("-T").arg(script).arg("-o").arg(&elf);
        link.arg(object).args(sources).args(self.system()?).args(self.link.linker_arguments());
        let output = self.run(link)?;
        if output.status.success() {
            flat::write_image(&elf, image)?;
        }
        Ok(output)
    }

    /// Compiles what stands in for a system.
    fn system(&self) -> Result<Vec<PathBuf>> {
        let mut objects = Vec::new();
        for (name, content) in flat::SOURCES {
            let source = self.directory.join(name);
            output::write(&source, content)?;
            let object = source.with_extension("o");
            let output = self.run(self.compile(&self.tool, &source, &object))?;
            if !output.status.success() {
                return Err(Error::Source { output: text(&output) });
            }
            objects.push(object);
        }
        Ok(objects)
    }

    /// C++ sources need C++'s own library, which its compiler knows to link.
    fn linker(&self) -> Result<Command> {
        let is_cpp = self.options.sources.iter().any(|source| is_cpp(source));
        Ok(if is_cpp { self.cpp()? } else { self.tool.clone() }.to_command())
    }

    fn compile(&self, tool: &cc::Tool, source: &Path, object: &Path) -> Command {
        let mut command = tool.to_command();
        if self.memory.is_some() {
            // `-fno-common`, so that every variable is a section's.
            command.args([SPECS, "-ffunction-sections", "-fdata-sections", "-fno-common"]);
        }
        command.arg("-iquote").arg(paths::package());
        for directory in &self.link.includes {
            command.arg("-I").arg(directory);
        }
        for (name, value) in &self.link.defines {
            command.arg(format!("-D{name}={value}"));
        }
        command.arg("-c").arg(source).arg("-o").arg(object);
        command
    }

    /// Runs a command, its messages in English, since some are read below.
    fn run(&self, mut command: Command) -> Result<Output> {
        command.env("LC_ALL", "C");
        command.output().map_err(|error| Error::CompilerMissing {
            message: format!("{}: {error}", self.tool.path().display()),
        })
    }
}

fn found(build: &cc::Build) -> Result<cc::Tool> {
    build.try_get_compiler().map_err(|error| Error::CompilerMissing { message: error.to_string() })
}

/// Whether a source is C++, by its ending.
fn is_cpp(source: &Path) -> bool {
    let endings = ["cc", "cpp", "cxx", "c++", "C"];
    source.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// The machine that compiles: outside build scripts, one that a shared object is also for.
fn host(target: &Target) -> String {
    let likely = if target.is_bare() { Target::default() } else { target.clone() };
    std::env::var("HOST").unwrap_or_else(|_| likely.triple().to_owned())
}

fn text(output: &Output) -> String {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{stderr}{stdout}")
}

/// What a failed link means.
fn judge(output: &str) -> Result<Outcome> {
    if let Some(library) = missing_library(output) {
        return Err(Error::LibraryMissing { library });
    }
    let missing = missing_symbols(output);
    if missing.is_empty() {
        return Err(Error::Link { output: output.to_owned() });
    }
    let uncallable = missing.into_iter().map(|(function, symbol)| {
        let own = function.ends_with(&format!("_{symbol}"));
        let reason =
            if own { diagnostics::not_defined() } else { diagnostics::symbol_not_defined(&symbol) };
        (function, reason)
    });
    Ok(Outcome::Uncallable(uncallable.collect()))
}

/// What it means that the shims do not compile: an error if anything but calls of the
/// library's functions is wrong.
fn rejected(shims: &Path, output: &str) -> Result<Outcome> {
    let source = std::fs::read_to_string(shims)
        .map_err(|error| Error::File { path: shims.to_owned(), error })?;
    let start = format!("{}:", shims.display());
    let uncallable: Option<BTreeSet<(String, String)>> =
        errors_in(output, &start).map(|error| rejected_call(&source, &error?)).collect();
    match uncallable {
        Some(uncallable) if !uncallable.is_empty() => Ok(Outcome::Uncallable(uncallable)),
        _ => Err(Error::Shims { path: shims.to_owned(), output: output.to_owned() }),
    }
}

/// The errors, each as `LINE:COLUMN: error: MESSAGE`; `None` for one that is not in the
/// shims. GNU's compiler locates an error in a macro there, and its use in a note.
fn errors_in<'a>(output: &'a str, start: &'a str) -> impl Iterator<Item = Option<String>> + 'a {
    let lines: Vec<&str> = output.lines().collect();
    let is_error = |line: &str| line.contains(" error: ");
    let found: Vec<usize> =
        (0..).zip(&lines).filter_map(|(index, line)| is_error(line).then_some(index)).collect();
    found.into_iter().map(move |index| {
        let (error, rest) = lines.get(index..)?.split_first()?;
        if let Some(error) = error.strip_prefix(start) {
            return Some(error.to_owned());
        }
        let (_, message) = error.split_once(" error: ")?;
        let mut notes = rest.iter().take_while(|line| !is_error(line));
        let used = notes.find_map(|line| line.strip_prefix(start))?;
        let (place, _) = used.split_once(" note: in expansion of macro")?;
        Some(format!("{place} error: {message}"))
    })
}

/// The generated function that holds the line of `LINE:COLUMN: error: MESSAGE`.
fn rejected_call(source: &str, error: &str) -> Option<(String, String)> {
    let (place, message) = error.split_once(" error: ")?;
    let line: usize = place.split(':').next()?.parse().ok()?;
    let before: Vec<&str> = source.lines().take(line).collect();
    let signature = before.iter().rev().find(|line| !line.starts_with(['{', ' ']))?;
    let start = signature.strip_prefix("static ")?.split('(').next()?;
    let function = start.rsplit([' ', '*']).next()?;
    Some((function.to_owned(), diagnostics::call_rejected(message)))
}

/// `ld: cannot find -lfoo: No such file or directory`, in GNU's and LLVM's words.
fn missing_library(output: &str) -> Option<String> {
    let starts = ["cannot find -l", "unable to find library -l"];
    output.lines().find_map(|line| {
        let rest = starts.iter().find_map(|start| Some(line.split_once(start)?.1))?;
        let name = rest.split([':', ' ']).next().unwrap_or(rest);
        Some(name.to_owned())
    })
}

/// `x.c:(.text.omniglot_call_f+0x5): undefined reference to `f'`: the shim and the symbol.
///
/// LLVM's linker writes the symbol first and the place on a line of its own. GNU's names the
/// function on a line before, and instead of the section a line of the source, if it knows.
fn missing_symbols(output: &str) -> BTreeSet<(String, String)> {
    let mut missing = BTreeSet::new();
    let (mut symbol, mut function) = (None, None);
    for line in output.lines() {
        if let Some((_, name)) = line.split_once("in function `") {
            function = name.split('\'').next().map(str::to_owned);
        }
        let gnu = line.split_once("undefined reference to `").map(|(_, rest)| rest);
        let llvm = line.split_once("undefined symbol: ").map(|(_, rest)| rest);
        if let Some(rest) = gnu.or(llvm) {
            symbol = rest.split('\'').next().map(str::to_owned);
        }
        let place = function_in(line).or_else(|| gnu.and_then(|_| function.clone()));
        if let (Some(symbol), Some(function)) = (&symbol, place) {
            missing.insert((function, symbol.clone()));
        }
    }
    missing
}

/// The C function that a line of the linker is about.
fn function_in(line: &str) -> Option<String> {
    let starts = ["(.text.", "(function ", ".o:("];
    let place = starts.iter().find_map(|start| Some(line.split_once(start)?.1))?;
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name = place.trim_start_matches(".text.").split(|character| !is_word(character)).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{missing_library, missing_symbols};

    #[test]
    fn gnu_messages_are_understood() {
        let output = "/usr/bin/ld: x_shims.o: in function `omniglot_call_gone':\n\
            x_shims.c:(.text.omniglot_call_gone+0x5): undefined reference to `gone'\n\
            collect2: error: ld returned 1 exit status";
        let missing: Vec<_> = missing_symbols(output).into_iter().collect();
        assert_eq!(missing, [("omniglot_call_gone".to_owned(), "gone".to_owned())]);
        let output = "/usr/bin/ld: cannot find -lnothing: No such file or directory";
        assert_eq!(missing_library(output).as_deref(), Some("nothing"));
    }

    #[test]
    fn places_in_the_source_are_understood() {
        let output = "/usr/bin/ld: libc.a(raise.o): in function `raise':\n\
            ./signal/signal.c:129: undefined reference to `getpid'\n\
            /usr/bin/ld: ./signal/signal.c:129: undefined reference to `kill'";
        let missing: Vec<_> = missing_symbols(output).into_iter().collect();
        let expected = ["getpid", "kill"].map(|name| ("raise".to_owned(), name.to_owned()));
        assert_eq!(missing, expected);
    }

    #[test]
    fn llvm_messages_are_understood() {
        let output = "ld.lld: error: undefined symbol: gone\n\
            >>> referenced by x_shims.c\n\
            >>>               x_shims.o:(omniglot_call_gone)";
        let missing: Vec<_> = missing_symbols(output).into_iter().collect();
        assert_eq!(missing, [("omniglot_call_gone".to_owned(), "gone".to_owned())]);
        let output = "ld.lld: error: unable to find library -lnothing";
        assert_eq!(missing_library(output).as_deref(), Some("nothing"));
    }
}
