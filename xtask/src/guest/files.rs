//! Which files of this machine a guest gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::init;
use super::libraries;
use super::tree::{Node, Tree};

/// Directories that many systems have as links, which programs take for granted.
const CUSTOMARY: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// Small files by which the C library finds libraries and users.
const CONFIGURATION: [&str; 4] =
    ["/etc/ld.so.cache", "/etc/group", "/etc/nsswitch.conf", "/etc/passwd"];

/// Directories that have to be there, if only to mount something on.
const EMPTY: [&str; 6] = ["/dev", "/proc", "/root", "/run", "/sys", "/tmp"];

/// Where busybox is in a guest.
const BUSYBOX: &str = "/omniglot/busybox";

/// The tree of a guest that runs `program` and has `files`, and `input` to read, in `here`.
pub(super) fn collect(
    program: &Path,
    files: &[PathBuf],
    here: &Path,
    start: &init::Start<'_>,
) -> Result<Tree> {
    let mut tree = Tree::default();
    let usual = CUSTOMARY.iter().chain(&CONFIGURATION).map(Path::new);
    for path in usual.filter(|path| path.exists()) {
        tree.add(path)?;
    }
    for path in EMPTY {
        tree.put(Path::new(path), Node::Directory);
    }
    tree.add(here)?;
    add_program(&mut tree, program)?;
    for file in files {
        add_all(&mut tree, &locate(file, here))?;
    }
    add_busybox(&mut tree)?;
    init::add(&mut tree, start);
    Ok(tree)
}

/// Where a file is that the user names: a path, or the name of a shared library.
fn locate(file: &Path, here: &Path) -> PathBuf {
    let path = here.join(file);
    let is_name = file.components().count() == 1;
    if path.exists() || !is_name {
        return path;
    }
    libraries::find(file.as_os_str()).unwrap_or(path)
}

/// Adds a file with what it needs to be run or loaded.
fn add_program(tree: &mut Tree, path: &Path) -> Result<()> {
    let (place, is_new) = tree.add(path)?;
    if !is_new {
        return Ok(());
    }
    for library in libraries::needed_by(&place)? {
        tree.add(&library)?;
    }
    match libraries::interpreter_of(&place)? {
        // Without it the script cannot be run, but perhaps it is only to be read.
        Some(interpreter) if interpreter.exists() => add_program(tree, &interpreter),
        _ => Ok(()),
    }
}

/// Adds a file, or a directory with all that is in it.
fn add_all(tree: &mut Tree, path: &Path) -> Result<()> {
    if !path.is_dir() {
        return add_program(tree, path);
    }
    tree.add(path)?;
    let unreadable = || format!("could not read {}", path.display());
    for entry in fs::read_dir(path).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?.path();
        // A link in a directory may lead nowhere, or into a circle.
        if entry.is_symlink() && (!entry.exists() || entry.is_dir()) {
            continue;
        }
        add_all(tree, &entry)?;
    }
    Ok(())
}

/// Adds busybox, with a link for each of its tools at whose place nothing is yet.
fn add_busybox(tree: &mut Tree) -> Result<()> {
    let busybox = busybox()?;
    tree.put(Path::new(BUSYBOX), Node::Copy(busybox.clone()));
    for library in libraries::needed_by(&busybox)? {
        tree.add(&library)?;
    }
    let listing = Command::new(&busybox)
        .arg("--list-full")
        .output()
        .with_context(|| format!("could not start {}", busybox.display()))?;
    for tool in String::from_utf8_lossy(&listing.stdout).lines() {
        tree.put(&Path::new("/").join(tool), Node::Link(PathBuf::from(BUSYBOX)));
    }
    Ok(())
}

fn busybox() -> Result<PathBuf> {
    super::program::on_search_path("busybox".as_ref())
        .context("there is no busybox here; Debian's package is called busybox-static")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::{Tree, add_all, add_program, locate};
    use crate::testing::TempDir;

    #[test]
    fn a_program_comes_with_its_libraries() {
        let mut tree = Tree::default();
        add_program(&mut tree, Path::new("/bin/sh")).unwrap();
        assert!(tree.has(Path::new("/bin/sh")));
        assert!(tree.iter().any(|(path, _)| path.ends_with("libc.so.6")));
    }

    #[test]
    fn a_script_comes_with_its_interpreter() {
        let directory = TempDir::new();
        let script = directory.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let mut tree = Tree::default();
        add_program(&mut tree, &script).unwrap();
        assert!(tree.has(Path::new("/bin/sh")));
    }

    #[test]
    fn a_directory_comes_whole_whatever_its_links() {
        let directory = TempDir::new();
        directory.touch("a/b/file");
        symlink("..", directory.path().join("a/up")).unwrap();
        symlink("nowhere", directory.path().join("a/dead")).unwrap();
        symlink("b/file", directory.path().join("a/link")).unwrap();
        let mut tree = Tree::default();
        let top = directory.path().join("a");
        add_all(&mut tree, &top).unwrap();
        assert!(tree.has(&top.join("b/file")) && tree.has(&top.join("link")));
        assert!(!tree.has(&top.join("dead")));
    }

    #[test]
    fn a_library_may_be_named_like_a_file() {
        let directory = TempDir::new();
        let found = locate(Path::new("libc.so.6"), directory.path());
        assert!(found.is_file() && found.is_absolute(), "{found:?}");
        directory.touch("libc.so.6");
        let own = directory.path().join("libc.so.6");
        assert_eq!(locate(Path::new("libc.so.6"), directory.path()), own);
        let gone = locate(Path::new("sub/libc.so.6"), directory.path());
        assert_eq!(gone, PathBuf::from(directory.path()).join("sub/libc.so.6"));
    }
}
