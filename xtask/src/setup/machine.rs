//! The machine that xtask runs on, as far as searching for packages needs it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ci;
use crate::riscv;

/// Where to search. Tests use a directory of their own.
pub(super) struct Machine {
    root: PathBuf,
    search_path: Vec<PathBuf>,
    /// The path of libclang, if the user has set it.
    pub(super) libclang_path: Option<PathBuf>,
    /// The sysroot of the current Rust toolchain.
    pub(super) sysroot: Option<PathBuf>,
    /// True if this is a job of a continuous-integration service.
    pub(super) is_ci: bool,
    /// True if the user is root.
    pub(super) is_root: bool,
}

impl Machine {
    /// The machine that this process runs on.
    pub(super) fn this() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        Self {
            root: PathBuf::from("/"),
            search_path: env::split_paths(&path).collect(),
            libclang_path: env::var_os("LIBCLANG_PATH").map(PathBuf::from),
            sysroot: riscv::sysroot(),
            is_ci: ci::is_job(),
            // The directory of a process in /proc belongs to the user of the process.
            is_root: fs::metadata("/proc/self").is_ok_and(|directory| directory.uid() == 0),
        }
    }

    /// Returns true if the search path has a command called `name`.
    pub(super) fn has_command(&self, name: &str) -> bool {
        self.search_path.iter().any(|directory| directory.join(name).is_file())
    }

    /// Returns true if a C compiler would find the header `name`.
    pub(super) fn has_header(&self, name: &str) -> bool {
        let directories = ["usr/include", "usr/local/include", &multiarch("usr/include")];
        directories.iter().any(|directory| self.path(directory).join(name).is_file())
    }

    /// Returns true if `pkg-config` would find the library `name`.
    pub(super) fn has_description(&self, name: &str) -> bool {
        let directories = ["usr/lib", "usr/share", "usr/local/lib", &multiarch("usr/lib")];
        let file = format!("pkgconfig/{name}.pc");
        directories.iter().any(|directory| self.path(directory).join(&file).is_file())
    }

    /// Returns true if Python can create virtual environments with pip. Debian has what that needs
    /// in a separate package. A Python from elsewhere includes it.
    pub(super) fn has_python_environments(&self) -> bool {
        let first = self.search_path.iter().find(|directory| directory.join("python3").is_file());
        let debian = first.is_some_and(|directory| *directory == self.path("usr/bin"));
        let libraries = self.path("usr/lib");
        let has_module =
            |name: &String| libraries.join(name).join("ensurepip/__init__.py").is_file();
        !debian || list(&libraries).iter().any(has_module)
    }

    /// Returns true if the current Rust toolchain builds for RISC-V.
    pub(super) fn has_riscv_target(&self) -> bool {
        self.sysroot.as_deref().is_some_and(riscv::has_target)
    }

    /// Converts `path`, relative to the root directory, into an actual path.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// The subdirectory of `directory` for this processor architecture on Debian.
pub(super) fn multiarch(directory: &str) -> String {
    format!("{directory}/{}-linux-gnu", env::consts::ARCH)
}

/// The names in `directory`. Empty if it cannot be read.
pub(super) fn list(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

impl Machine {
    /// A machine with this root directory, and an ordinary user.
    pub(super) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            search_path: ["usr/local/bin", "usr/bin", "usr/sbin"]
                .map(|path| root.join(path))
                .into(),
            libclang_path: None,
            sysroot: None,
            is_ci: false,
            is_root: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, multiarch};
    use crate::testing::TempDir;

    #[test]
    fn a_command_is_found_anywhere_on_the_search_path() {
        let directory = TempDir::new();
        directory.touch("usr/bin/cc");
        let machine = Machine::at(directory.path());
        assert!(machine.has_command("cc"));
        assert!(!machine.has_command("c"));
    }

    #[test]
    fn a_header_is_found_in_each_place_for_headers() {
        let directory = TempDir::new();
        directory.touch("usr/include/a.h");
        directory.touch("usr/local/include/b/c.h");
        directory.touch(&format!("{}/d.h", multiarch("usr/include")));
        let machine = Machine::at(directory.path());
        for header in ["a.h", "b/c.h", "d.h"] {
            assert!(machine.has_header(header), "{header}");
        }
        assert!(!machine.has_header("c.h"));
        assert!(!machine.has_header("b"));
    }
}
