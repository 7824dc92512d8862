//! Compiles the shims and links them with the library into the image.
//!
//! For Linux that is a shared object; for a machine without an operating system it is
//! everything, the C library included, linked to one region of memory.

mod archives;
#[cfg(feature = "sandbox")]
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::code::{AHEAD, Code, Item};
use crate::error::{Error, Result};
use crate::flat::{self, Memory, SPECS};
use crate::link::Link;
use crate::options::Options;
use crate::scalar::Target;
use crate::{definers, diagnostics, output, paths};

/// The outcome of linking.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The image was linked; without one, the shims compile.
    Linked,
    /// The header declares functions that cannot be called: the generated C functions
    /// that call them, each with the reason.
    Uncallable(BTreeSet<(String, String)>),
    /// The C compiler rejects the code generated for these items; with its message.
    Rejected(BTreeMap<Item, String>),
}

/// What is in an image besides the user's sources.
#[derive(Debug, Default)]
pub(crate) struct Embedded {
    /// The static archives.
    pub(crate) archives: Vec<PathBuf>,
    /// What its user has to know.
    pub(crate) warning: Option<String>,
}

/// The C compiler with the options of one library.
pub(crate) struct Compiler<'a> {
    options: &'a Options,
    link: &'a Link,
    build: cc::Build,
    tool: cc::Tool,
    directory: PathBuf,
    target: Target,
    /// The region to which a flat image is linked.
    memory: Option<Memory>,
}

/// Against what the crate `cc` adds where the host is built with a sanitizer. What runs in a worker is
/// built without: there is none of the sanitizer's runtime.
const WITHOUT_SANITIZER: [&str; 1] = ["-fno-sanitize=address"];

/// Whether the host is built with a sanitizer, as cargo says.
fn is_sanitized() -> bool {
    env::var_os("CARGO_CFG_SANITIZE").is_some()
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
            .pic(memory.is_none())
            .flags(WITHOUT_SANITIZER.iter().filter(|_| is_sanitized()));
        let tool = found(&build)?;
        Ok(Self {
            options,
            link,
            build,
            tool,
            directory: directory.to_owned(),
            target: target.clone(),
            memory,
        })
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
            let mut compile = self.compile(tool, &paths::in_package(source), &object);
            if self.memory.is_none() && wants_lines() {
                // Lines and functions, for errors that name them; not variables and types.
                compile.arg("-g1");
            }
            let output = self.run(compile)?;
            if !output.status.success() {
                return Err(Error::Source { output: text(&output) });
            }
            objects.push(object);
        }
        Ok(objects)
    }

    /// Links C that only refers to what the library must define, and returns what the library lacks.
    /// Whatever else is wrong with it shows in the shims, too, and is reported there.
    pub(crate) fn undefined(
        &self,
        references: &str,
        source: &Path,
        sources: &[PathBuf],
    ) -> Result<BTreeSet<(String, String)>> {
        output::write(source, references)?;
        let (object, image) = (source.with_extension("o"), source.with_extension("so"));
        let mut compile = self.compile(&self.tool, source, &object);
        compile.args(["-O0", "-w", "-ffunction-sections", "-fvisibility=hidden"]);
        // Where everything is linked to one region, the linker drops what nothing calls.
        if self.memory.is_some() || !self.run(compile)?.status.success() {
            return Ok(BTreeSet::new());
        }
        let output = self.link_shared(&object, sources, &image)?;
        if output.status.success() {
            return Ok(BTreeSet::new());
        }
        match judge(&text(&output), &self.link.searches, &self.target) {
            Ok(Outcome::Uncallable(functions)) => Ok(functions),
            _ => Ok(BTreeSet::new()),
        }
    }

    /// Writes the shims, compiles them, and links everything into `image`, if there is to be one.
    pub(crate) fn generated(
        &self,
        code: &Code,
        shims: &Path,
        sources: &[PathBuf],
        image: Option<&Path>,
    ) -> Result<Outcome> {
        output::write(shims, &code.text)?;
        let output = self.compile_shims(shims, &[])?;
        if output.status.success() {
            return image
                .map_or(Ok(Outcome::Linked), |image| self.link_image(shims, sources, image));
        }
        let output = text(&output);
        let rejected = rejected(code, shims, &output);
        if !rejected.is_empty() {
            return Ok(Outcome::Rejected(rejected));
        }
        self.search(code, shims, &output)
    }

    /// Compiles shims that were generated ahead, and links everything into `image`.
    pub(crate) fn image(&self, shims: &Path, sources: &[PathBuf], image: &Path) -> Result<Outcome> {
        let output = self.compile_shims(shims, &[format!("-D{AHEAD}")])?;
        if !output.status.success() {
            return Err(Error::Shims { path: shims.to_owned(), output: text(&output) });
        }
        self.link_image(shims, sources, image)
    }

    fn compile_shims(&self, shims: &Path, arguments: &[String]) -> Result<Output> {
        let mut compile = self.compile(&self.tool, shims, &shims.with_extension("o"));
        // Each shim has a section of its own, so that the linker's messages name it.
        compile.args(["-ffunction-sections", "-fvisibility=hidden"]).args(arguments);
        if self.tool.is_like_clang() {
            // All errors at once.
            compile.arg("-ferror-limit=0");
        }
        self.run(compile)
    }

    fn link_image(&self, shims: &Path, sources: &[PathBuf], image: &Path) -> Result<Outcome> {
        let object = shims.with_extension("o");
        let output = match &self.memory {
            None => self.link_shared(&object, sources, image)?,
            Some(memory) => self.link_flat(memory, &object, sources, image)?,
        };
        if output.status.success() {
            return Ok(Outcome::Linked);
        }
        judge(&text(&output), &self.link.searches, &self.target)
    }

    /// Finds what the C compiler rejects if its messages do not tell: the first item without which
    /// all before it compile.
    fn search(&self, code: &Code, shims: &Path, message: &str) -> Result<Outcome> {
        let compiles = |text: &str| -> Result<bool> {
            output::write(shims, text)?;
            Ok(self.compile_shims(shims, &[])?.status.success())
        };
        if !compiles(code.prologue())? {
            return Err(Error::Rejected { output: message.to_owned() });
        }
        let (mut good, mut bad) = (0, code.units.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if compiles(code.up_to(middle))? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        let found = code.units.get(good).filter(|_| bad > good).map(|unit| &unit.item);
        output::write(shims, &code.text)?;
        match found {
            Some(item) => {
                let reason = first_error(message).to_owned();
                Ok(Outcome::Rejected(BTreeMap::from([(item.clone(), reason)])))
            }
            None => Err(Error::Shims { path: shims.to_owned(), output: message.to_owned() }),
        }
    }

    fn link_shared(&self, object: &Path, sources: &[PathBuf], image: &Path) -> Result<Output> {
        let mut link = self.linker()?;
        // `-Bsymbolic`: a C source's own functions win over libc's of the same name.
        link.args(["-shared", "-Wl,-z,defs", "-Wl,-z,noexecstack", "-Wl,-Bsymbolic"]);
        // The targets of calls to other libraries are then constant, so the FS-base analysis can
        // follow them.
        link.args(["-Wl,-z,relro", "-Wl,-z,now", "-o"]);
        link.arg(image);
        link.arg(object).args(sources).args(self.libraries()?);
        self.run(link)
    }

    /// The linker's arguments for libraries. It takes from archives what nothing else defines, and
    /// they may need the libraries in turn.
    fn libraries(&self) -> Result<Vec<OsString>> {
        let libraries = self.link.linker_arguments().into_iter().map(OsString::from);
        let archives = self.archives()?.into_iter().map(OsString::from);
        Ok(if archives.len() == 0 {
            libraries.collect()
        } else {
            libraries.clone().chain(archives).chain(libraries).collect()
        })
    }

    /// Links to the region, and keeps the ELF file for looking up addresses.
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
        link.arg(object).args(sources).args(self.system()?).args(self.libraries()?);
        let output = self.run(link)?;
        if output.status.success() {
            flat::write_image(&elf, image)?;
        }
        Ok(output)
    }

    /// Compiles the stubs that replace an operating system.
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

    /// C++ sources need the C++ library, which the C++ compiler links.
    fn linker(&self) -> Result<Command> {
        let is_cpp = self.options.sources.iter().any(|source| is_cpp(source));
        Ok(if is_cpp { self.cpp()? } else { self.tool.clone() }.to_command())
    }

    fn compile(&self, tool: &cc::Tool, source: &Path, object: &Path) -> Command {
        let mut command = tool.to_command();
        if self.memory.is_some() {
            // `-fno-common`, so that every variable is a section's.
            command.args([SPECS, "-ffunction-sections", "-fdata-sections", "-fno-common"]);
        } else {
            // A header that defines a variable without a value defines it once in all.
            command.arg("-fcommon");
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

/// Whether cargo's profile has debug information. Outside of build scripts nobody wants any.
fn wants_lines() -> bool {
    let debug = std::env::var("DEBUG").unwrap_or_default();
    !["", "false", "0", "none"].contains(&debug.as_str())
}

fn found(build: &cc::Build) -> Result<cc::Tool> {
    build.try_get_compiler().map_err(|error| Error::CompilerMissing { message: error.to_string() })
}

/// Whether a source is C++, by its ending.
fn is_cpp(source: &Path) -> bool {
    let endings = ["cc", "cpp", "cxx", "c++", "C"];
    source.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// The compiling machine: outside build scripts, one for which a shared object can be made.
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
fn judge(output: &str, searches: &[PathBuf], target: &Target) -> Result<Outcome> {
    if let Some(library) = missing_library(output) {
        return Err(Error::LibraryMissing { library });
    }
    let missing = missing_symbols(output);
    if missing.is_empty() {
        return Err(Error::Link { output: output.to_owned() });
    }
    let symbols = missing.iter().map(|(_, symbol)| symbol.as_str()).collect();
    let definers = definers::find(&symbols, searches, target);
    let uncallable = missing.iter().map(|(function, symbol)| {
        let own = function.ends_with(&format!("_{symbol}"));
        let definer = definers.get(symbol).map(String::as_str);
        let reason = if own {
            diagnostics::not_defined(definer)
        } else {
            diagnostics::symbol_not_defined(symbol, definer)
        };
        (function.clone(), reason)
    });
    Ok(Outcome::Uncallable(uncallable.collect()))
}

/// The items that the errors in the shims are about, each with its first error.
fn rejected(code: &Code, shims: &Path, output: &str) -> BTreeMap<Item, String> {
    let start = format!("{}:", shims.display());
    let mut rejected = BTreeMap::new();
    for (line, message) in errors_in(output, &start) {
        if let Some(item) = code.item_at(line) {
            rejected.entry(item.clone()).or_insert(message);
        }
    }
    rejected
}

/// A compiler's first error, or its first line.
fn first_error(output: &str) -> &str {
    let error = output.lines().find_map(|line| Some(line.split_once("error: ")?.1));
    error.or_else(|| output.lines().next()).unwrap_or("it says nothing")
}

/// The errors in the shims: their lines and messages. A compiler locates an error in a macro
/// there, and its use in a note.
fn errors_in<'a>(output: &'a str, start: &'a str) -> impl Iterator<Item = (usize, String)> + 'a {
    let lines: Vec<&str> = output.lines().collect();
    let is_error = |line: &str| line.contains("error: ");
    let found: Vec<usize> =
        (0..).zip(&lines).filter_map(|(index, line)| is_error(line).then_some(index)).collect();
    found.into_iter().filter_map(move |index| {
        let (error, rest) = lines.get(index..)?.split_first()?;
        let (place, message) = error.split_once("error: ")?;
        let mut notes = rest.iter().take_while(|line| !is_error(line));
        let place = match place.strip_prefix(start) {
            Some(place) => place,
            None => notes.find_map(|line| line.strip_prefix(start)?.split_once(" note: "))?.0,
        };
        Some((place.split(':').next()?.parse().ok()?, message.to_owned()))
    })
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
