//! Finds the shared libraries that a program needs.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tree::{Tree, below};

/// The magic number of ELF files.
const ELF: &[u8] = b"\x7fELF";

/// The path of the dynamic linker on every system for this processor.
const LINKER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The directories that contain libraries.
const DIRECTORIES: [&str; 4] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"];

/// The system that provides libraries, given by its root directory: `/` for this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct System<'a>(pub(super) &'a Path);

impl System<'_> {
    fn is_this(self) -> bool {
        self.0 == Path::new("/")
    }

    /// The files that this system's dynamic linker would map for `file` of this machine, as paths
    /// in that system. The dynamic linker itself is among them. `file` need not be an ELF file.
    pub(super) fn needed_by(self, file: &Path) -> Result<Vec<PathBuf>> {
        if !begins_with(file, ELF)? {
            return Ok(Vec::new());
        }
        let text = if self.is_this() { self::list(file)? } else { self.list(file)? };
        if let Some(name) = text.lines().find_map(missing) {
            bail!("{} needs {name}, which cannot be found", file.display());
        }
        // ldd does not recognise statically linked files, which need nothing.
        let places = text.lines().filter_map(found).map(Path::new);
        let mut needed: Vec<PathBuf> =
            places.map(|place| self.seen_from_inside(place, file)).collect::<Result<_>>()?;
        // Programs name the linker by this path, whatever path it reports when run by another one.
        if !needed.is_empty() && !self.is_this() {
            needed.push(PathBuf::from(LINKER));
        }
        Ok(needed)
    }

    /// What `ldd` would print for `file` in this system. Its dynamic linker is run from outside of
    /// that system, where all paths are different.
    fn list(self, file: &Path) -> Result<String> {
        let (linker, _) = Tree::default().add_from(self.0, Path::new(LINKER))?;
        let linker = below(self.0, &linker);
        let directories = DIRECTORIES.map(|directory| below(self.0, Path::new(directory)));
        let directories = env::join_paths(directories).context("its name has a colon")?;
        let mut command = Command::new(&linker);
        // The linker would otherwise read this machine's cache.
        command.arg("--inhibit-cache").arg("--library-path").arg(directories);
        let output = command.arg("--list").arg(file).env_remove("LD_LIBRARY_PATH").output();
        let output = output.with_context(|| format!("could not start {}", linker.display()))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn seen_from_inside(self, place: &Path, file: &Path) -> Result<PathBuf> {
        let Ok(inside) = place.strip_prefix(self.0) else {
            bail!(
                "{} needs {}, which is not in {}",
                file.display(),
                place.display(),
                self.0.display()
            );
        };
        Ok(Path::new("/").join(inside))
    }

    /// The path at which this system's dynamic linker finds the library `name`.
    pub(super) fn find(self, name: &OsStr) -> Option<PathBuf> {
        // The tool is not on the search path of ordinary users.
        let cache = below(self.0, Path::new("/etc/ld.so.cache"));
        let list = |command: &&str| Command::new(command).arg("-C").arg(&cache).arg("-p").output();
        let listing =
            ["ldconfig", "/sbin/ldconfig"].iter().find_map(|command| list(command).ok())?;
        let name = name.to_str()?;
        String::from_utf8_lossy(&listing.stdout).lines().find_map(|line| {
            let (library, place) = line.trim().split_once(" => ")?;
            let (library, kind) = library.split_once(' ')?;
            (library == name && kind.contains("x86-64")).then(|| PathBuf::from(place))
        })
    }
}

/// The output of `ldd` for `file`.
fn list(file: &Path) -> Result<String> {
    let output = Command::new("ldd").arg(file).output().context("could not start ldd")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The interpreter of a script, or `None` if `file` is not a script.
pub(super) fn interpreter_of(file: &Path) -> Result<Option<PathBuf>> {
    if !begins_with(file, b"#!")? {
        return Ok(None);
    }
    let mut start = [0; 256];
    let length = File::open(file)?.read(&mut start)?;
    let text = String::from_utf8_lossy(&start[..length]);
    let line = text.lines().next().unwrap_or_default().trim_start_matches("#!");
    Ok(line.split_whitespace().next().map(PathBuf::from))
}

fn begins_with(file: &Path, sign: &[u8]) -> Result<bool> {
    let mut start = Vec::new();
    File::open(file)
        .and_then(|file| file.take(sign.len() as u64).read_to_end(&mut start))
        .with_context(|| format!("could not read {}", file.display()))?;
    Ok(start == sign)
}

/// The path in a line such as `libz.so.1 => /lib/libz.so.1 (0x7f00)` or `/lib/ld.so (0x7f00)`.
fn found(line: &str) -> Option<&str> {
    let line = line.trim();
    let place = line.split_once(" => ").map_or(line, |(_, place)| place);
    let (place, _) = place.rsplit_once(" (0x")?;
    place.starts_with('/').then_some(place)
}

/// The name in a line such as `libgone.so.1 => not found`.
fn missing(line: &str) -> Option<&str> {
    line.trim().strip_suffix(" => not found")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::{LINKER, System, found, interpreter_of, missing};
    use crate::testing::TempDir;

    fn this() -> System<'static> {
        System(Path::new("/"))
    }

    #[test]
    fn lines_of_ldd_are_understood() {
        for (line, place) in [
            ("\tlinux-vdso.so.1 (0x00007ffd)", None),
            (
                "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)",
                Some("/lib/x86_64-linux-gnu/libc.so.6"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlibodd.so => /a (b)/libodd.so (0x00007f)", Some("/a (b)/libodd.so")),
            ("\tnot a dynamic executable", None),
        ] {
            assert_eq!(found(line), place, "{line}");
        }
        assert_eq!(missing("\tlibgone.so.1 => not found"), Some("libgone.so.1"));
    }

    #[test]
    fn this_program_needs_the_c_library_and_a_dynamic_linker() {
        let needed = this().needed_by(&env::current_exe().unwrap()).unwrap();
        for name in ["libc.so.6", "ld-linux-x86-64.so.2"] {
            assert!(needed.iter().any(|path| path.ends_with(name)), "{name}: {needed:?}");
        }
    }

    #[test]
    fn libraries_of_another_system_are_those_in_its_directory() {
        let directory = TempDir::new();
        let program = env::current_exe().unwrap();
        let system = System(directory.path());
        // As on Debian, the dynamic linker lies next to the other libraries.
        let linker = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        directory.touch(linker);
        fs::copy(LINKER, directory.path().join(linker)).unwrap();
        directory.touch("lib64/none");
        symlink(Path::new("/").join(linker), super::below(directory.path(), LINKER.as_ref()))
            .unwrap();
        for path in this().needed_by(&program).unwrap() {
            let copy = super::below(directory.path(), &path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            if path != Path::new(LINKER) {
                fs::copy(&path, copy).unwrap();
            }
        }
        let needed = system.needed_by(&program).unwrap();
        assert!(needed.iter().any(|path| path.ends_with("libc.so.6")), "{needed:?}");
        let inside =
            |path: &PathBuf| super::below(directory.path(), path).symlink_metadata().is_ok();
        assert!(needed.iter().all(inside), "{needed:?}");
        assert!(needed.contains(&LINKER.into()), "{needed:?}");

        let library = needed.iter().find(|path| path.ends_with("libc.so.6")).unwrap();
        fs::remove_file(super::below(directory.path(), library)).unwrap();
        let error = system.needed_by(&program).unwrap_err().to_string();
        assert!(error.contains("libc.so.6"), "{error}");
    }

    #[test]
    fn a_library_is_found_by_its_name() {
        assert!(this().find(OsStr::new("libc.so.6")).unwrap().is_file());
        assert_eq!(this().find(OsStr::new("libc.so")), None);
    }

    #[test]
    fn scripts_have_interpreters_and_need_no_libraries() {
        let directory = TempDir::new();
        let script = directory.path().join("script");
        fs::write(&script, "#! /bin/sh -e\ntrue\n").unwrap();
        assert_eq!(interpreter_of(&script).unwrap().as_deref(), Some(Path::new("/bin/sh")));
        assert_eq!(this().needed_by(&script).unwrap(), [""; 0].map(std::path::PathBuf::from));
        fs::write(&script, "").unwrap();
        assert_eq!(interpreter_of(&script).unwrap(), None);
    }
}
