//! The catalogue of messages: what can go wrong, and what to do about it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Shorthand for results of generation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why no bindings were generated.
///
/// `{:?}` prints the same paragraph as `{}`, since that is what cargo shows when a
/// build script's `main` returns it.
#[non_exhaustive]
pub enum Error {
    /// libclang, which reads the header, is missing.
    LibclangMissing {
        /// What the search for it said.
        message: String,
    },
    /// The builder was given no header.
    NoHeader,
    /// clang cannot read the header.
    Header {
        /// The headers.
        headers: Vec<String>,
        /// clang's messages.
        messages: String,
    },
    /// The header reader gave up.
    Parser {
        /// What it said.
        message: String,
    },
    /// `pkg-config` is missing.
    PkgConfigMissing {
        /// What starting it said.
        message: String,
    },
    /// `pkg-config` does not know the library.
    PackageUnknown {
        /// The package's name.
        package: String,
        /// What `pkg-config` said.
        message: String,
    },
    /// There is no C compiler.
    CompilerMissing {
        /// What was tried.
        message: String,
    },
    /// A C source of the builder does not exist.
    SourceMissing {
        /// The file.
        path: PathBuf,
    },
    /// A static archive of the builder does not exist.
    ArchiveMissing {
        /// The file.
        path: PathBuf,
    },
    /// A C source of the builder does not compile.
    Source {
        /// The compiler's output.
        output: String,
    },
    /// The C compiler does not compile the headers, which clang reads.
    Rejected {
        /// The compiler's output.
        output: String,
    },
    /// There is no image for software fault isolation.
    Sandbox {
        /// What is in the way.
        message: String,
    },
    /// The generated shims do not compile.
    Shims {
        /// The generated file.
        path: PathBuf,
        /// The compiler's output.
        output: String,
    },
    /// Shims that were generated ahead do not fit the library that is installed.
    Outdated {
        /// The generated file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// The linker does not find a library.
    LibraryMissing {
        /// Its name after `-l`.
        library: String,
    },
    /// The builder names nothing that could define what the headers declare.
    NothingLinked {
        /// A function that nothing defines.
        function: String,
    },
    /// The shims cannot be linked with the library.
    Link {
        /// The linker's output.
        output: String,
    },
    /// The region of a machine without an operating system is impossible.
    Region {
        /// What is wrong with it.
        message: String,
    },
    /// A pattern is not a regular expression.
    Pattern {
        /// The builder's method.
        method: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A pattern, or one of its alternatives, matches nothing that the headers declare.
    MatchesNothing {
        /// The builder's method.
        method: &'static str,
        /// The pattern, or the alternative.
        pattern: String,
        /// Names in the headers that are like it.
        similar: Vec<String>,
    },
    /// No guarded function has a parameter that the guard's expression uses.
    GuardWithoutParameter {
        /// The pattern.
        pattern: String,
        /// The expression.
        buffer: String,
    },
    /// `variadic` or `function_macro` describes something that the headers do not have.
    DescribedUnknown {
        /// The builder's method.
        method: &'static str,
        /// The C function or macro.
        name: String,
    },
    /// The name for a described function is a function's already.
    NameTaken {
        /// The builder's method.
        method: &'static str,
        /// The name.
        name: String,
    },
    /// Wrappers and handles do not fit the functions that they describe.
    Wrappers {
        /// What is wrong, each with the header's line.
        problems: Vec<Problem>,
    },
    /// `bool_type` names something that is not a typedef of an integer.
    NoBoolType {
        /// The name.
        name: String,
    },
    /// `raise` names a function that is not bound.
    RaiseUnknown {
        /// The function.
        function: String,
    },
    /// A name cannot be a Rust identifier or file name.
    Name {
        /// The name.
        name: String,
    },
    /// Cargo's output directory is unknown.
    NoOutDir,
    /// A file cannot be written or read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Several mistakes in what the builder was told.
    Several {
        /// Each of them.
        errors: Vec<Self>,
    },
    /// The generated Rust is not valid: a defect of this crate.
    Generated {
        /// What the Rust parser said.
        message: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LibclangMissing { message } => write!(
                out,
                "omniglot needs libclang to read C headers, and it is not there: {message}\n\
                 Install it (Debian, Ubuntu: `apt install libclang-dev`; Fedora: \
                 `dnf install clang-devel`; macOS: `brew install llvm`), or set \
                 LIBCLANG_PATH to the directory that holds it."
            ),
            Self::NoHeader => {
                out.write_str("omniglot was given no header; add .header(\"foo.h\") in build.rs")
            }
            Self::Header { headers, messages } => write_header_error(out, headers, messages),
            Self::Parser { message } => {
                write!(out, "libclang, which reads the headers, gave up: {message}")
            }
            Self::Name { name } => write!(
                out,
                "`{name}` is no name for Rust: letters, digits and underscores, no keyword"
            ),
            Self::Several { errors } => {
                write!(out, "{} mistakes in what omniglot was told:", errors.len())?;
                errors.iter().try_for_each(|error| write!(out, "\n- {error}"))
            }
            Self::Region { message } => {
                write!(out, "the library's .region(start, bytes) cannot be: {message}")
            }
            Self::NoOutDir => out.write_str(
                "OUT_DIR is not set: run omniglot_build from build.rs, or name a directory with \
                 .out_dir(path)",
            ),
            Self::File { path, error } => write!(out, "{}: {error}", path.display()),
            Self::Generated { message } => write!(
                out,
                "omniglot generated Rust that does not parse, which is a defect of omniglot: \
                 {message}"
            ),
            Self::Pattern { .. }
            | Self::MatchesNothing { .. }
            | Self::GuardWithoutParameter { .. }
            | Self::RaiseUnknown { .. }
            | Self::DescribedUnknown { .. }
            | Self::NameTaken { .. }
            | Self::Wrappers { .. }
            | Self::NoBoolType { .. } => self.write_option_error(out),
            _ => self.write_tool_error(out),
        }
    }
}

fn write_header_error(
    out: &mut fmt::Formatter<'_>,
    headers: &[String],
    messages: &str,
) -> fmt::Result {
    let headers = headers.join(", ");
    write!(out, "clang cannot read {headers}:\n{}", first_lines(messages))?;
    if messages.contains("file not found") {
        out.write_str(
            "\nIf it belongs to a library, install the library's -dev package and name it with \
             .pkg_config(\"NAME\"); else name its directory with .include(\"DIR\").",
        )?;
    }
    Ok(())
}

impl Error {
    /// All errors as one, if there is any.
    #[cfg(feature = "headers")]
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<()> {
        match errors.pop() {
            None => Ok(()),
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(Self::Several { errors })
            }
        }
    }

    /// Messages about the builder's patterns and names.
    fn write_option_error(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { method, pattern, message } => {
                write!(out, ".{method}({pattern:?}): not a regular expression: {message}")
            }
            Self::MatchesNothing { method, pattern, similar } => {
                write!(
                    out,
                    ".{method}({pattern:?}) matches nothing that the headers declare; patterns \
                     must match whole names"
                )?;
                if similar.is_empty() {
                    Ok(())
                } else {
                    write!(out, "; like it: {}", similar.join(", "))
                }
            }
            Self::GuardWithoutParameter { pattern, buffer } => write!(
                out,
                ".setjmp_guard({pattern:?}, {buffer:?}): no function that the pattern matches has \
                 a parameter whose name is in the expression, so the buffer cannot be found"
            ),
            Self::RaiseUnknown { function } => write!(
                out,
                ".raise({function:?}): the headers declare no such function, or it is not bound"
            ),
            Self::DescribedUnknown { method, name } => {
                let kind = if *method == "variadic" { "variadic function" } else { "macro" };
                write!(out, ".{method}(\"{name}\", ...): the headers have no such {kind}")
            }
            Self::Wrappers { problems } => {
                out.write_str(
                    ".wrap and .handle: what they describe is not what the headers have:",
                )?;
                problems.iter().try_for_each(|problem| write!(out, "\n{problem}"))
            }
            Self::NoBoolType { name } => write!(
                out,
                ".bool_type({name:?}): the headers have no typedef of this name for an integer"
            ),
            Self::NameTaken { method, name } => write!(
                out,
                ".{method}: the name `{name}` is that of another function; choose another"
            ),
            _ => Ok(()),
        }
    }

    /// Messages about tools and packages that are missing.
    fn write_tool_error(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PkgConfigMissing { message } => write!(
                out,
                "pkg-config cannot be run: {message}\nInstall it (Debian, Ubuntu: `apt install \
                 pkg-config`; Fedora: `dnf install pkgconf`), or use .link(\"NAME\") instead of \
                 .pkg_config."
            ),
            Self::PackageUnknown { package, message } => write!(
                out,
                "pkg-config knows no package {package}: {}\nInstall the development package that \
                 holds {package}.pc (Debian, Ubuntu: usually {package}-dev or lib…-dev; Fedora: \
                 `dnf install 'pkgconfig({package})'`), or add its directory to PKG_CONFIG_PATH.",
                message.trim()
            ),
            Self::CompilerMissing { message } => write!(
                out,
                "no C compiler can be run: {message}\nInstall one (Debian, Ubuntu: `apt install \
                 gcc`; Fedora: `dnf install gcc`), or name one in the variable CC."
            ),
            _ => self.write_build_error(out),
        }
    }

    /// Messages about compiling and linking.
    fn write_build_error(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceMissing { path } => {
                write!(out, "the C source {} does not exist", path.display())
            }
            Self::ArchiveMissing { path } => write!(
                out,
                "the static archive {} does not exist, neither in the package nor, if it is a bare \
                 name, where linkers search; install the package that has it (Debian, Ubuntu: \
                 usually the -dev package; Fedora: usually the -static package)",
                path.display()
            ),
            Self::Source { output } => {
                write!(out, "a C source does not compile:\n{}", first_lines(output))
            }
            Self::Rejected { output } => write!(
                out,
                "the C compiler cannot compile the headers, although clang can read them; name \
                 another compiler in the variable CC, or give the headers what they want with \
                 .define:\n{}",
                first_lines(output)
            ),
            Self::Sandbox { message } => {
                write!(out, "there is no sandboxed image of this library (.sandboxed): {message}")
            }
            Self::Shims { path, output } => write!(
                out,
                "the generated C in {} does not compile, which is a defect of omniglot; \
                 .blocklist_type and .blocklist_function leave out what it is about:\n{}",
                path.display(),
                first_lines(output)
            ),
            Self::Outdated { path, message } => write!(
                out,
                "{} was generated from other headers than those of the library that is \
                 installed: install the version that it is for, or write it again with \
                 `omniglot bindings`; what does not fit:\n{}",
                path.display(),
                first_lines(message)
            ),
            Self::LibraryMissing { library } => write!(
                out,
                "the linker does not find the library `{library}` (-l{library}); install its \
                 -dev package, or name its directory with .link_search(\"DIR\")"
            ),
            Self::NothingLinked { function } => write!(
                out,
                "nothing defines `{function}` and the other functions of the headers: name the \
                 library in build.rs, with .pkg_config(\"NAME\") if it is installed, .link(\"NAME\") \
                 as for -lNAME, or .source(\"FILE.c\") for your own C"
            ),
            Self::Link { output } => {
                write!(out, "the shims cannot be linked with the library:\n{}", first_lines(output))
            }
            _ => Ok(()),
        }
    }
}

/// As much of a tool's output as a person reads.
fn first_lines(output: &str) -> String {
    const LINES: usize = 40;
    let mut lines: Vec<&str> = output.trim_end().lines().take(LINES).collect();
    if output.trim_end().lines().count() > LINES {
        lines.push("...");
    }
    lines.join("\n")
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// An item of the header that is not bound, or only partly, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Problem {
    /// The C item, such as `int printf(const char *, ...)`'s name `printf`.
    pub item: String,
    /// Where the headers declare it: `FILE:LINE`.
    pub place: Option<String>,
    /// Why.
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(item: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { item: item.into(), place: None, reason: reason.into() }
    }

    pub(crate) fn at(self, place: Option<&String>) -> Self {
        Self { place: place.cloned(), ..self }
    }

    /// Adds where the headers declare the item: `places` has that of each name.
    pub(crate) fn placed(self, places: &BTreeMap<String, String>) -> Self {
        let name = self.item.rsplit(' ').next().unwrap_or(&self.item);
        match places.get(name) {
            Some(place) => self.at(Some(place)),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}: ")?;
        }
        write!(out, "{}: {}", self.item, self.reason)
    }
}
