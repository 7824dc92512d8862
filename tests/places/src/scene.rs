//! Copies of the programs where every user can start them, and a small root directory.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::root;

/// The host, the launcher and the command `omniglot`.
const PROGRAMS: [&str; 3] = [HOST, FILTERED, OMNIGLOT];
const HOST: &str = "omniglot-place";
const FILTERED: &str = "omniglot-filtered";
const OMNIGLOT: &str = "omniglot";

/// The system calls that `SystemCallFilter=@system-service` allows: `systemd-analyze syscall-filter`
/// of systemd 252, on Debian 12, with the sets in it resolved.
const SYSTEM_SERVICE: &str = include_str!("system_service.txt");

/// A directory that every user can enter, if possible below that of `program`: sandboxes have temporary
/// directories of their own.
fn base(program: &Path) -> PathBuf {
    let near = program.parent().unwrap_or(program);
    let is_open = |directory: &Path| {
        directory.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o005 == 0o005)
    };
    if near.ancestors().all(is_open) { near.to_owned() } else { env::temp_dir() }
}

/// What all places share.
#[derive(Debug)]
pub struct Scene {
    directory: TempDir,
    is_root: bool,
    tree: OnceLock<PathBuf>,
}

impl Scene {
    /// Copies the programs, which were built beside this one, to a directory of their own.
    ///
    /// # Errors
    /// If one of them was not built, other than the command, or cannot be copied.
    pub fn new() -> Result<Self> {
        let own = env::current_exe().context("could not tell where this program is")?;
        let directory = TempDir::with_prefix_in("omniglot-places-", base(&own))?;
        // Tests are a directory below.
        let places = own.ancestors().skip(1).take(2);
        let built = places.into_iter().find(|place| place.join(HOST).is_file());
        let built = built.with_context(|| format!("{HOST} is not built"))?;
        let scene = Self {
            directory,
            is_root: rustix::process::geteuid().is_root(),
            tree: OnceLock::new(),
        };
        scene.open_to_all(scene.directory.path())?;
        for name in PROGRAMS {
            let from = built.join(name);
            // The tests do without it, and are built alone, too.
            if name == OMNIGLOT && !from.is_file() {
                continue;
            }
            fs::copy(&from, scene.path(name)).with_context(|| from.display().to_string())?;
        }
        fs::write(scene.path("system-service"), SYSTEM_SERVICE)?;
        Ok(scene)
    }

    fn open_to_all(&self, path: &Path) -> Result<()> {
        fs::set_permissions(path, Permissions::from_mode(0o755))
            .with_context(|| path.display().to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory that all of this is in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it, for programs that end without dropping what they have.
    pub fn remove(&self) {
        // What is left is in the build directory.
        let _ = fs::remove_dir_all(self.directory.path());
    }

    /// Whether this runs as root.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.is_root
    }

    /// The host's command.
    #[must_use]
    pub fn host(&self) -> Vec<OsString> {
        vec![self.path(HOST).into()]
    }

    /// The command that says what a place has.
    #[must_use]
    pub fn doctor(&self) -> Vec<OsString> {
        [self.path(OMNIGLOT).into(), "doctor".into(), "--json".into()].into()
    }

    /// The launcher that sets a filter up.
    pub(crate) fn filtered(&self) -> OsString {
        self.path(FILTERED).into()
    }

    /// The file with the calls of systemd's set.
    pub(crate) fn system_service(&self) -> OsString {
        self.path("system-service").into()
    }

    /// A root directory with these programs at the paths that they have here, their libraries, and
    /// nothing else.
    pub(crate) fn tree(&self) -> Result<&Path> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let tree = self.path("root");
        root::make(&tree, &PROGRAMS.map(|name| self.path(name)))?;
        let set = tree.join(self.path("system-service").strip_prefix("/")?);
        fs::write(set, SYSTEM_SERVICE)?;
        Ok(self.tree.get_or_init(|| tree))
    }
}
