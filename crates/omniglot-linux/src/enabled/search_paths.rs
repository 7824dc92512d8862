//! Where libraries say that the libraries that they need are: the `DT_RUNPATH` of an image that a
//! build script linked with a directory of its own, and from there on those of the libraries that
//! lie there ([ld.so(8)](https://man7.org/linux/man-pages/man8/ld.so.8.html)).
//!
//! The dynamic linker in the worker searches there by itself, and the worker has to be allowed to
//! read what it finds. The image is the program's own, so its directories are readable as a whole.
//! A foreign library could name any directory: one with files that it must not read, or one on a
//! server that does not answer. Its entries count only if they lead to its own directory or the one
//! above, and only libraries are readable there. `Builder::library_directory` permits others.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, FileHeader64, SHT_DYNAMIC};
use object::read::elf::{FileHeader, SectionHeader};
use object::{LittleEndian, ReadCache, ReadRef};

use super::files::is_of_system;
use super::images::is_loadable;
use super::libraries::header;
use super::library_files::without_dots;

/// The most libraries that are looked at.
const MOST: usize = 512;
/// The size in bytes of the largest dynamic section that is read. Those of real libraries have some
/// hundred bytes.
const LARGEST: u64 = 1 << 20;

/// What a library says of those that it needs.
#[derive(Debug, Default)]
struct Needs {
    /// The file names of libraries.
    names: Vec<String>,
    /// Directories for these.
    run_path: Vec<String>,
    /// Directories for these and for all that they need, unless there are others.
    old_path: Vec<String>,
}

/// Libraries that are still to be looked at, and what was found.
#[derive(Debug, Default)]
struct Search {
    /// Files, each with the directories that those who need it search for it, too.
    waiting: Vec<(PathBuf, Vec<PathBuf>)>,
    /// The libraries that were found.
    found: BTreeSet<PathBuf>,
}

/// What a worker may read so that `image`, the files at `named` and the libraries that these need
/// find all that they need, in addition to `directories` and the system's. What cannot be read
/// counts for nothing: the dynamic linker will say what is wrong with it.
pub(super) fn readable(image: &[u8], named: &[PathBuf], directories: &[PathBuf]) -> Vec<PathBuf> {
    let image = needs(image).unwrap_or_default();
    let own = [image.run_path.as_slice(), &image.old_path].concat();
    let own = own.iter().filter_map(|path| expanded(path, None));
    let own: Vec<PathBuf> = own.filter(|path| !is_of_system(path) && path.is_dir()).collect();

    let mut search = Search::default();
    search.add(&image, None, &[], directories);
    search.waiting.extend(named.iter().map(|file| (file.clone(), Vec::new())));
    while let Some((file, inherited)) = search.waiting.pop() {
        if search.found.len() < MOST && search.found.insert(file.clone()) {
            let opened = File::open(&file).ok();
            let found = opened.and_then(|file| needs(&ReadCache::new(file))).unwrap_or_default();
            search.add(&found, file.parent(), &inherited, directories);
        }
    }
    own.into_iter().chain(search.found).collect()
}

impl Search {
    /// Adds the libraries that one in `origin` needs, where it searches for them.
    fn add(
        &mut self,
        needs: &Needs,
        origin: Option<&Path>,
        inherited: &[PathBuf],
        directories: &[PathBuf],
    ) {
        let absolute = |paths: &[String]| -> Vec<PathBuf> {
            paths.iter().filter_map(|path| expanded(path, origin)).collect()
        };
        // One that has the newer entry ignores the older ones.
        let inherited = match needs.run_path.is_empty() {
            true => [absolute(&needs.old_path), inherited.to_vec()].concat(),
            false => Vec::new(),
        };
        let own = [inherited.clone(), absolute(&needs.run_path)].concat();
        let names = needs.names.iter().filter(|name| !name.contains('/'));
        for name in names {
            let places = directories.iter().chain(&own).map(|directory| directory.join(name));
            let there = places.into_iter().find(|file| is_library(file));
            self.waiting.extend(there.map(|file| (file, inherited.clone())));
        }
    }
}

/// Returns true if a file has the header of a library for this machine.
fn is_library(file: &Path) -> bool {
    file.is_file() && header(file).is_ok_and(|header| is_loadable(&header).is_ok())
}

/// A directory of a search path: absolute, with `$ORIGIN` replaced. Other variables are not known.
/// The one of a library in `origin` is near that.
fn expanded(path: &str, origin: Option<&Path>) -> Option<PathBuf> {
    let path = match origin.and_then(Path::to_str) {
        Some(origin) => path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin),
        None => path.to_owned(),
    };
    let is_near = |path: &PathBuf| origin.is_none_or(|origin| path.starts_with(up(origin)));
    without_dots(Path::new(&path)).filter(|_| !path.contains('$')).filter(is_near)
}

/// The directory above one, unless that is the root.
fn up(directory: &Path) -> &Path {
    directory.parent().filter(|parent| parent.parent().is_some()).unwrap_or(directory)
}

/// What is in a library's dynamic section; `None` if it is not for 64-bit processors, or damaged.
fn needs<'data>(data: impl ReadRef<'data>) -> Option<Needs> {
    const LE: LittleEndian = LittleEndian;
    let header = FileHeader64::<LittleEndian>::parse(data).ok()?;
    let sections = header.sections(LE, data).ok()?;
    let dynamic = sections.iter().find(|section| section.sh_type(LE) == SHT_DYNAMIC)?;
    if dynamic.sh_size(LE) > LARGEST {
        return None;
    }
    let table = sections.dynamic_table(LE, data).ok()?;
    let mut needs = Needs::default();
    for entry in table.iter() {
        let text = || std::str::from_utf8(table.string(entry).ok()?).ok();
        let paths = || {
            let paths = text().into_iter().flat_map(|paths| paths.split(':'));
            paths.filter(|path| !path.is_empty()).map(str::to_owned)
        };
        match entry.tag {
            DT_NEEDED => needs.names.extend(text().map(str::to_owned)),
            DT_RUNPATH => needs.run_path.extend(paths()),
            DT_RPATH => needs.old_path.extend(paths()),
            _ => {}
        }
    }
    Some(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_directories_count_and_those_near_a_library() {
        let origin = Some(Path::new("/opt/app/lib"));
        let of = |path: &str| expanded(path, origin);
        assert_eq!(of("$ORIGIN/../more"), Some(PathBuf::from("/opt/app/more")));
        assert_eq!(of("${ORIGIN}"), Some(PathBuf::from("/opt/app/lib")));
        assert_eq!(of("/opt/app"), Some(PathBuf::from("/opt/app")));
        assert_eq!(of("/opt/other"), None);
        assert_eq!(of("$ORIGIN/../../../mnt"), None);
        assert_eq!(expanded("/home", Some(Path::new("/opt"))), None);
        assert_eq!(of("here"), None);
        assert_eq!(of("/opt/app/$LIB"), None);
        assert_eq!(expanded("$ORIGIN", None), None);
        assert_eq!(expanded("/elsewhere", None), Some(PathBuf::from("/elsewhere")));
    }

    #[test]
    fn what_is_no_library_needs_nothing() {
        assert!(needs(&b""[..]).is_none());
        assert!(needs(&b"\x7fELF"[..]).is_none());
        let own = std::fs::read(std::env::current_exe().expect("a path")).expect("a file");
        let found = needs(&own[..]).expect("a dynamic section");
        assert!(found.names.iter().any(|name| name.starts_with("libc.")), "{found:?}");
        for len in (0..own.len()).step_by(own.len() / 64) {
            let _ = needs(own.get(..len).unwrap_or_default());
        }
    }
}
