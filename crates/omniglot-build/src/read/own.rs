//! Which files are a library's own: what is bound when there is no allowlist.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::options::Options;
use crate::paths;
use crate::scalar::Target;

/// Where compilers for a target find headers without being told; those for another machine than
/// this have directories of their own.
fn system(multiarch: &str) -> [PathBuf; 4] {
    [
        format!("/usr/{multiarch}/include"),
        "/usr/include".to_owned(),
        "/usr/local/include".to_owned(),
        format!("/usr/include/{multiarch}"),
    ]
    .map(PathBuf::from)
}

/// The headers' own files: the headers, what lies beside them unless that is the system's common
/// directory, what they include in quotation marks, and all of the directory to search in which
/// one is found, since a library's first header often only includes the others from there; with it
/// the directory to search for those of its headers that differ from machine to machine. Of the C
/// library's own headers, also their parts in `bits`, which nobody includes directly. Beside
/// `/usr/include/openssl` lies `/usr/include/x86_64-linux-gnu/openssl`, too.
pub(super) fn files(options: &Options, includes: &[PathBuf], target: &Target) -> Own {
    let multiarch = target.multiarch();
    let mut own =
        Own { directories: vec![paths::package()], multiarch: multiarch.clone(), ..Own::default() };
    own.directories.extend_from_slice(includes);
    own.directories.extend(multiarch.iter().flat_map(|multiarch| system(multiarch)));
    for header in &options.headers {
        own.ends.insert(PathBuf::from(header));
        if let Some(path) = own.find(Path::new(""), header) {
            let root = includes.iter().find(|directory| directory.join(header) == path);
            let root = root.filter(|root| !paths::is_system(root));
            own.roots.extend(root.cloned());
            if let (Some(root), Some(multiarch)) = (root, &multiarch) {
                let machines = includes.iter().filter(|other| is_machines(other, root, multiarch));
                own.roots.extend(machines.cloned());
            }
            own.add(&path);
        }
    }
    own
}

/// Whether a directory has those of a library's headers that differ from machine to machine, by
/// its path: `/usr/lib/x86_64-linux-gnu/glib-2.0/include` beside `/usr/include/glib-2.0`, and
/// `/usr/include/x86_64-linux-gnu/python3.11` beside `/usr/include/python3.11`.
fn is_machines(directory: &Path, root: &Path, multiarch: &str) -> bool {
    let has = |name: &OsStr| directory.components().any(|part| part.as_os_str() == name);
    has(OsStr::new(multiarch)) && root.file_name().is_some_and(has)
}

/// The directory for those headers of a library's directory that differ from machine to machine.
/// The C library has its own headers in some of these, which are no other library's.
fn twin(directory: &Path, multiarch: &str) -> Option<PathBuf> {
    let common = Path::new("/usr/include");
    let name = directory.strip_prefix(common).ok()?;
    let first = name.components().next()?;
    let is_shared =
        ["sys", "bits", "gnu", "asm", multiarch].iter().any(|of| first.as_os_str() == *of);
    (!is_shared).then(|| common.join(multiarch).join(name))
}

#[derive(Debug, Default)]
pub(super) struct Own {
    /// Where headers are found.
    directories: Vec<PathBuf>,
    /// The name of the directory for headers that differ from machine to machine.
    multiarch: Option<String>,
    files: BTreeSet<PathBuf>,
    /// Directories that files lie directly in.
    beside: BTreeSet<PathBuf>,
    /// Directories that files lie in, however deep.
    roots: BTreeSet<PathBuf>,
    /// What files' paths end with.
    ends: BTreeSet<PathBuf>,
}

impl Own {
    /// Whether a file is the library's own, by its path or, if that is a link, by where it is.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.has(path)
            || (path.is_symlink() && path.canonicalize().is_ok_and(|path| self.has(&path)))
    }

    fn has(&self, path: &Path) -> bool {
        self.files.contains(path)
            || path.parent().is_some_and(|parent| self.beside.contains(parent))
            || self.roots.iter().any(|root| path.starts_with(root))
            || self.ends.iter().any(|end| path.ends_with(end))
    }

    /// Finds a header as the compiler does, and spells its path as the compiler does.
    fn find(&self, includer: &Path, header: &str) -> Option<PathBuf> {
        let beside = includer.parent().filter(|directory| directory.is_absolute());
        let directories = beside.into_iter().chain(self.directories.iter().map(PathBuf::as_path));
        directories.map(|directory| directory.join(header)).find(|path| path.is_file())
    }

    /// Adds a file and those that it includes as its own.
    fn add(&mut self, path: &Path) {
        let directory = path.parent().unwrap_or(Path::new(""));
        if !self.files.insert(path.to_owned()) {
            return;
        }
        let in_system = paths::is_system(directory);
        if !in_system {
            self.beside.insert(directory.to_owned());
            self.beside.extend(self.multiarch.iter().filter_map(|name| twin(directory, name)));
        }
        let source = std::fs::read(path).unwrap_or_default();
        for included in String::from_utf8_lossy(&source).lines().filter_map(included) {
            match included {
                Included::Quoted(header) => self.quoted(path, header, in_system),
                Included::Bits(part) if in_system => {
                    self.ends.insert(PathBuf::from(part));
                }
                Included::Bits(_) => {}
            }
        }
    }

    /// Some headers write `#include "stdio.h"`: the system's headers are not a library's own if
    /// they are included from elsewhere.
    fn quoted(&mut self, includer: &Path, header: &str, in_system: bool) {
        let Some(path) = self.find(includer, header) else { return };
        if in_system || !path.parent().is_some_and(paths::is_system) {
            self.add(&path);
        }
    }
}

/// What a line of C includes that may be the library's own.
#[derive(Debug, PartialEq, Eq)]
enum Included<'a> {
    /// `#include "header"`
    Quoted(&'a str),
    /// `#include <bits/part.h>`, but for types, which come along where they are needed.
    Bits(&'a str),
}

fn included(line: &str) -> Option<Included<'_>> {
    let line = line.trim_start().strip_prefix('#')?.trim_start();
    let file = line.strip_prefix("include")?.trim_start();
    if let Some(quoted) = file.strip_prefix('"') {
        return Some(Included::Quoted(quoted.split_once('"')?.0));
    }
    let (part, _) = file.strip_prefix('<')?.split_once('>')?;
    let is_part = part.starts_with("bits/") && !part.starts_with("bits/types");
    is_part.then_some(Included::Bits(part))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Included, Own, included, is_machines, twin};

    #[test]
    fn a_library_has_a_directory_for_what_differs_from_machine_to_machine() {
        let is = |directory: &str, root: &str| {
            is_machines(Path::new(directory), Path::new(root), "x86_64-linux-gnu")
        };
        let of_glib = "/usr/lib/x86_64-linux-gnu/glib-2.0/include";
        assert!(is(of_glib, "/usr/include/glib-2.0"));
        assert!(!is(of_glib, "/usr/include/gdk-pixbuf-2.0"));
        assert!(!is("/opt/glib-2.0/include", "/usr/include/glib-2.0"));
        assert!(is("/usr/include/x86_64-linux-gnu/python3.11", "/usr/include/python3.11"));
    }

    #[test]
    fn a_directory_has_a_twin_for_what_differs_from_machine_to_machine() {
        let of = |directory: &str| twin(Path::new(directory), "x86_64-linux-gnu");
        let of_openssl = Path::new("/usr/include/x86_64-linux-gnu/openssl");
        assert_eq!(of("/usr/include/openssl").as_deref(), Some(of_openssl));
        assert_eq!(of("/usr/include/sys"), None);
        assert_eq!(of("/usr/include/x86_64-linux-gnu/curl"), None);
        assert_eq!(of("/opt/include/openssl"), None);
    }

    #[test]
    fn a_link_to_an_own_file_is_own() -> std::io::Result<()> {
        let place = tempfile::tempdir()?;
        let place = place.path().canonicalize()?;
        let [real, link, elsewhere] =
            ["own/real.h", "machine/link.h", "machine/other.h"].map(|name| place.join(name));
        std::fs::create_dir(place.join("own"))?;
        std::fs::create_dir(place.join("machine"))?;
        std::fs::write(&real, "")?;
        std::fs::write(&elsewhere, "")?;
        std::os::unix::fs::symlink(&real, &link)?;
        let own = Own { roots: [place.join("own")].into(), ..Own::default() };
        assert!(own.contains(&real) && own.contains(&link));
        assert!(!own.contains(&elsewhere));
        Ok(())
    }

    #[test]
    fn quotation_marks_say_that_a_file_is_own() {
        assert_eq!(included("# include \"a/b.h\" /* b */"), Some(Included::Quoted("a/b.h")));
        assert_eq!(included("#include <stdio.h>"), None);
        assert_eq!(
            included("#include <bits/mathcalls.h>"),
            Some(Included::Bits("bits/mathcalls.h"))
        );
        assert_eq!(included("#include <bits/types.h>"), None);
        assert_eq!(included("int include;"), None);
    }
}
