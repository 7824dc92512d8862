//! The user's settings.

use std::path::PathBuf;

#[cfg(feature = "headers")]
use regex_lite::Regex;

use crate::error::{Error, Result};
use crate::flat::Memory;
use crate::handle::Handle;
use crate::wrapper::Wrapper;

/// Everything that the builder collects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) instance_name: Option<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) defines: Vec<(String, String)>,
    pub(crate) clang_args: Vec<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) link_searches: Vec<PathBuf>,
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) archives: Vec<PathBuf>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) guards: Vec<GuardOption>,
    pub(crate) raises: Vec<String>,
    /// Patterns for the functions that many calls are made of at once.
    pub(crate) batches: Vec<String>,
    pub(crate) wrappers: Vec<Wrapper>,
    pub(crate) statuses: Vec<StatusOption>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) bool_types: Vec<String>,
    pub(crate) described: Vec<Described>,
    pub(crate) callback_slots: u32,
    /// Whether there is an image for software fault isolation, too.
    #[cfg(feature = "sandbox")]
    pub(crate) is_sandboxed: bool,
    /// Functions of archives about which there is no warning.
    #[cfg(feature = "sandbox")]
    pub(crate) known_stops: Vec<String>,
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) target: Option<String>,
    /// Where the image of a machine without an operating system is linked to.
    pub(crate) memory: Memory,
}

/// A pattern over names, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) purpose: Purpose,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    AllowFunction,
    AllowType,
    AllowVar,
    BlockFunction,
    BlockType,
    NewtypeEnum,
    BitfieldEnum,
    ConstifiedEnum,
    PlainEnum,
}

impl Purpose {
    /// The builder's method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::AllowFunction => "allowlist_function",
            Self::AllowType => "allowlist_type",
            Self::AllowVar => "allowlist_var",
            Self::BlockFunction => "blocklist_function",
            Self::BlockType => "blocklist_type",
            Self::NewtypeEnum => "newtype_enum",
            Self::BitfieldEnum => "bitfield_enum",
            Self::ConstifiedEnum => "constified_enum",
            Self::PlainEnum => "plain_enum",
        }
    }

    fn allows(self) -> bool {
        matches!(self, Self::AllowFunction | Self::AllowType | Self::AllowVar)
    }
}

/// Which functions are guarded, and where their `jmp_buf` is.
#[derive(Clone, Debug)]
pub(crate) struct GuardOption {
    pub(crate) pattern: String,
    pub(crate) buffer: String,
}

/// What the results of many functions mean.
#[derive(Clone, Debug)]
pub(crate) struct StatusOption {
    pub(crate) pattern: String,
    pub(crate) success: i64,
    /// The C function that explains one.
    pub(crate) message: String,
}

/// A function that the headers do not declare with a fixed parameter list, and that the
/// user describes in C.
#[derive(Clone, Debug)]
pub(crate) enum Described {
    /// A variadic function with certain further parameters.
    Variadic { function: String, name: String, parameters: String },
    /// A macro that is used as a function: its result and its parameters.
    Macro { name: String, result: String, parameters: String },
}

impl Described {
    /// The name of the method to generate.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Variadic { name, .. } | Self::Macro { name, .. } => name,
        }
    }

    /// The builder's method.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Variadic { .. } => "variadic",
            Self::Macro { .. } => "function_macro",
        }
    }
}

impl Options {
    /// Whether the user said what to bind.
    pub(crate) fn has_allowlist(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.purpose.allows())
    }

    /// The memory that a flat image is linked to; `None` if the user named no region.
    pub(crate) fn region(&self) -> Option<Memory> {
        (self.memory.len > 0).then_some(self.memory)
    }

    /// The patterns with one purpose.
    pub(crate) fn patterns(&self, purpose: Purpose) -> impl Iterator<Item = &str> {
        let matching = move |pattern: &&Pattern| pattern.purpose == purpose;
        self.patterns.iter().filter(matching).map(|pattern| pattern.text.as_str())
    }

    /// The instance type's name.
    #[cfg(feature = "headers")]
    pub(crate) fn instance(&self) -> String {
        self.instance_name.clone().unwrap_or_else(|| crate::names::upper_camel(&self.name))
    }

    /// Finds errors in the options before anything is run.
    #[cfg(feature = "headers")]
    pub(crate) fn check(&self) -> Result<()> {
        let mut errors = Vec::new();
        if self.headers.is_empty() {
            errors.push(Error::NoHeader);
        }
        let described = self.described.iter().map(|described| described.name().to_owned());
        let handles = self.handles.iter().map(Handle::rust_name);
        let names = [self.name.clone(), self.instance()].into_iter().chain(described);
        let wrong = names.chain(handles).filter(|name| !crate::names::is_ident(name));
        errors.extend(wrong.map(|name| Error::Name { name }));
        let patterns =
            self.patterns.iter().map(|pattern| (pattern.purpose.method(), &pattern.text));
        let guards = self.guards.iter().map(|guard| ("setjmp_guard", &guard.pattern));
        let statuses = self.statuses.iter().map(|status| ("status", &status.pattern));
        let batches = self.batches.iter().map(|pattern| ("batch", pattern));
        let wrong = patterns.chain(guards).chain(statuses).chain(batches);
        errors.extend(wrong.filter_map(|(method, pattern)| whole_name(method, pattern).err()));
        errors.extend(self.check_sources().err());
        Error::all(errors)
    }

    /// Checks that the user's C sources are there.
    pub(crate) fn check_sources(&self) -> Result<()> {
        let missing = self.sources.iter().find(|path| !crate::paths::in_package(path).is_file());
        missing.map_or(Ok(()), |path| Err(Error::SourceMissing { path: path.clone() }))
    }
}

/// A pattern that must match a whole name.
#[cfg(feature = "headers")]
pub(crate) fn whole_name(method: &'static str, pattern: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| Error::Pattern {
        method,
        pattern: pattern.to_owned(),
        message: error.to_string(),
    })
}
