//! The load spec: what to start, determined once for an instance, and used for each of its lives.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use omniglot_core::{Description, Error, Result, Text};
use rustix::param::linux_hwcap;

use super::code_places::{LIMIT, Names};
use super::files;
use super::images;
use super::layout::check_limits;
use super::libraries::Libraries;
use super::search_paths;
use super::tree::Tree;
use crate::options::Options;

/// All that a start needs. Paths are absolute and links are resolved, so that a reset finds the
/// same files even if the host's working directory has changed.
#[derive(Debug)]
pub(super) struct LoadSpec {
    pub(super) description: Description,
    pub(super) options: Options,
    pub(super) libraries: Libraries,
    /// What the worker may read.
    pub(super) readable: Vec<PathBuf>,
    /// The files that the library finds in its domain.
    pub(super) tree: Option<Tree>,
    /// Its environment: `NAME=value`.
    pub(super) environment: Vec<Vec<u8>>,
}

impl LoadSpec {
    /// Checks what the user named.
    pub(super) fn new(description: &Description, options: &Options) -> Result<Self> {
        let libraries = Libraries::check(options)?;
        let directories: std::io::Result<Vec<_>> =
            options.library_directories.iter().map(std::path::absolute).collect();
        let directories = directories
            .map_err(|_| Error::Load(Text::new("a library directory has an empty path")))?;
        let more = search_paths::readable(description.image, &libraries.files, &directories);
        let files = [libraries.files.as_slice(), &more].concat();
        let readable = files::readable(&directories, &files);
        check_limits()?;
        check_threads(options)?;
        Ok(Self {
            description: *description,
            tree: Tree::build(options)?,
            environment: environment(options)?,
            options: options.clone(),
            libraries,
            readable,
        })
    }

    /// What names places in the library, within that time.
    pub(super) fn names(&self, limit: Duration) -> Names<'_> {
        let until = Instant::now() + limit.min(LIMIT);
        Names { description: &self.description, readable: &self.readable, until }
    }

    /// Returns true if workers of the two are interchangeable.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (own, others) = (&self.description, &other.description);
        images::are_same(own.image, others.image)
            && (own.name, own.shims, own.slots) == (others.name, others.shims, others.slots)
            && own.functions == others.functions
            && self.options == other.options
            && self.libraries == other.libraries
            && self.readable == other.readable
            && are_same_files(self.tree.as_ref(), other.tree.as_ref())
    }
}

/// A thread's FS base is set without asking the kernel.
fn check_threads(options: &Options) -> Result<()> {
    /// `HWCAP2_FSGSBASE` of asm/hwcap2.h.
    const FSGSBASE: usize = 1 << 1;
    if options.allow.threads() > 0 && linux_hwcap().1 & FSGSBASE == 0 {
        return Err(Error::Unsupported {
            what: "threads of the library's own need FSGSBASE (Linux 5.9, processors since 2012)",
            remedy: "use a newer kernel without nofsgsbase, or do without Permission::Threads",
        });
    }
    Ok(())
}

/// Returns true if both read the same from the host's files, which change while it runs.
fn are_same_files(one: Option<&Tree>, other: Option<&Tree>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.is_like(other),
        _ => false,
    }
}

/// More would not fit where the worker's first stack begins.
const MOST_VARIABLES: usize = 100;

/// The variables that the user set. Those that the dynamic linker reads cannot be set.
pub(super) fn environment(options: &Options) -> Result<Vec<Vec<u8>>> {
    let wrong = |what: &str| Err(Error::Load(Text::from_untrusted(what.as_bytes())));
    if options.environment.len() > MOST_VARIABLES {
        return wrong("at most 100 environment variables can be set");
    }
    let mut variables = Vec::new();
    for (name, value) in &options.environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return wrong("an environment variable has a name or value that none can have");
        }
        if name.starts_with("LD_") || name == "GLIBC_TUNABLES" {
            return wrong(&format!(
                "{name} is for the dynamic linker, which the domain's loader sets up"
            ));
        }
        variables.push(format!("{name}={value}").into_bytes());
    }
    Ok(variables)
}
