//! Chooses the files that a guest contains.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::init;
use super::libraries::{self, System};
use super::machine::Guest;
use super::program::on_search_path;
use super::tree::{Node, Tree, below};
use super::wanted::Wanted;

/// Directories that are symbolic links on many systems, and that programs rely on.
const CUSTOMARY: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// Configuration files that the C library needs to find libraries and users.
const CONFIGURATION: [&str; 4] =
    ["/etc/ld.so.cache", "/etc/group", "/etc/nsswitch.conf", "/etc/passwd"];

/// Directories that must exist, some as mount points only.
const EMPTY: [&str; 6] = ["/dev", "/proc", "/root", "/run", "/sys", "/tmp"];

/// The path of busybox in a guest.
const BUSYBOX: &str = "/omniglot/busybox";

/// Collects the tree of a guest that runs `program` with the libraries of the system at `root`, the
/// additional `files`, and `input`. Relative paths start at `here`.
pub(super) fn collect(
    guest: &Guest,
    program: &Wanted<'_>,
    here: &Path,
    start: &init::Start<'_>,
) -> Result<Tree> {
    if !guest.arch.is_this() {
        return collect_whole(guest, program, here, start);
    }
    let (root, files) = (guest.root.as_path(), &guest.files);
    let mut tree = Tree::default();
    let usual = CUSTOMARY.iter().chain(&CONFIGURATION).map(Path::new);
    for path in usual.filter(|path| exists(root, path)) {
        tree.add_from(root, path)?;
    }
    for path in EMPTY {
        tree.put(Path::new(path), Node::Directory);
    }
    tree.add(here)?;
    add_program(&mut tree, root, program)?;
    for file in files {
        add_all(&mut tree, root, &locate(root, file, here))?;
    }
    add_busybox(&mut tree, root)?;
    init::add(&mut tree, start);
    Ok(tree)
}

/// The same for another architecture: the system is small, and is taken whole. Nobody here can run
/// its dynamic linker, which would tell what a program needs.
fn collect_whole(
    guest: &Guest,
    program: &Wanted<'_>,
    here: &Path,
    start: &init::Start<'_>,
) -> Result<Tree> {
    let mut tree = Tree::default();
    for path in EMPTY {
        tree.put(Path::new(path), Node::Directory);
    }
    copy_all(&mut tree, &guest.root, Path::new("/"))?;
    tree.add(here)?;
    tree.add_from(program.root, &program.path)?;
    for file in &guest.files {
        copy_all(&mut tree, Path::new("/"), &here.join(file))?;
    }
    let busybox = below(&guest.root, Path::new("/usr/bin/busybox"));
    add_tools(&mut tree, &busybox, &self::busybox()?)?;
    init::add(&mut tree, start);
    Ok(tree)
}

/// Adds a file, or a directory with all that it contains, as it is.
fn copy_all(tree: &mut Tree, root: &Path, path: &Path) -> Result<()> {
    tree.add_from(root, path)?;
    let source = below(root, path);
    if source.is_symlink() || !source.is_dir() {
        return Ok(());
    }
    let unreadable = || format!("could not read {}", source.display());
    for entry in fs::read_dir(&source).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        // A link may lead nowhere.
        if entry.path().exists() || !entry.path().is_symlink() {
            copy_all(tree, root, &path.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Locates a file that the user names: a path, or the name of a shared library.
fn locate<'a>(root: &'a Path, file: &Path, here: &Path) -> Wanted<'a> {
    let path = here.join(file);
    let is_name = file.components().count() == 1;
    if path.exists() || !is_name {
        return Wanted::first(root, path);
    }
    match System(root).find(file.as_os_str()) {
        Some(path) => Wanted { root, path },
        None => Wanted::here(path),
    }
}

/// Adds a file with everything that running or loading it requires from the system at `root`.
fn add_program(tree: &mut Tree, root: &Path, wanted: &Wanted<'_>) -> Result<()> {
    let (place, is_new) = tree.add_from(wanted.root, &wanted.path)?;
    if !is_new {
        return Ok(());
    }
    let source = below(wanted.root, &place);
    for library in System(root).needed_by(&source)? {
        tree.add_from(root, &library)?;
    }
    match libraries::interpreter_of(&source)? {
        // Without the interpreter the script cannot run, but it may be there only to be read.
        Some(path) if exists(root, &path) => add_program(tree, root, &Wanted { root, path }),
        _ => Ok(()),
    }
}

/// Returns true if programs whose root directory is `root` find a file at `path`.
fn exists(root: &Path, path: &Path) -> bool {
    Tree::default().add_from(root, path).is_ok()
}

/// Adds a file, or a directory with all its contents.
fn add_all(tree: &mut Tree, root: &Path, wanted: &Wanted<'_>) -> Result<()> {
    let path = below(wanted.root, &wanted.path);
    if !path.is_dir() {
        return add_program(tree, root, wanted);
    }
    tree.add_from(wanted.root, &wanted.path)?;
    let unreadable = || format!("could not read {}", path.display());
    for entry in fs::read_dir(&path).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        // A link in a directory may lead nowhere, or form a cycle.
        if entry.path().is_symlink() && (!entry.path().exists() || entry.path().is_dir()) {
            continue;
        }
        let path = wanted.path.join(entry.file_name());
        add_all(tree, root, &Wanted { root: wanted.root, path })?;
    }
    Ok(())
}

/// Adds busybox, with a link for each of its tools whose path is still free.
fn add_busybox(tree: &mut Tree, root: &Path) -> Result<()> {
    let busybox = busybox()?;
    for library in System(root).needed_by(&busybox)? {
        tree.add_from(root, &library)?;
    }
    add_tools(tree, &busybox, &busybox)
}

/// Adds busybox, with a link for each tool that `lister`, a busybox of this machine, has.
fn add_tools(tree: &mut Tree, busybox: &Path, lister: &Path) -> Result<()> {
    tree.put(Path::new(BUSYBOX), Node::Copy(busybox.to_owned()));
    let listing = Command::new(lister)
        .arg("--list-full")
        .output()
        .with_context(|| format!("could not start {}", lister.display()))?;
    for tool in String::from_utf8_lossy(&listing.stdout).lines() {
        tree.put(&Path::new("/").join(tool), Node::Link(PathBuf::from(BUSYBOX)));
    }
    Ok(())
}

fn busybox() -> Result<PathBuf> {
    on_search_path("busybox".as_ref())
        .context("there is no busybox here; Debian's package is called busybox-static")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::{Tree, Wanted, add_all, add_program, locate};
    use crate::testing::TempDir;

    const THIS: &str = "/";

    fn here(path: impl Into<PathBuf>) -> Wanted<'static> {
        Wanted::here(path.into())
    }

    #[test]
    fn a_program_comes_with_its_libraries() {
        let mut tree = Tree::default();
        add_program(&mut tree, THIS.as_ref(), &here("/bin/sh")).unwrap();
        assert!(tree.has(Path::new("/bin/sh")));
        assert!(tree.iter().any(|(path, _)| path.ends_with("libc.so.6")));
    }

    #[test]
    fn a_script_comes_with_its_interpreter() {
        let directory = TempDir::new();
        let script = directory.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let mut tree = Tree::default();
        add_program(&mut tree, THIS.as_ref(), &here(script)).unwrap();
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
        add_all(&mut tree, THIS.as_ref(), &here(&top)).unwrap();
        assert!(tree.has(&top.join("b/file")) && tree.has(&top.join("link")));
        assert!(!tree.has(&top.join("dead")));
    }

    #[test]
    fn a_library_may_be_named_like_a_file() {
        let directory = TempDir::new();
        let at = |name: &str| locate(THIS.as_ref(), Path::new(name), directory.path()).path;
        let found = at("libc.so.6");
        assert!(found.is_file() && found.is_absolute(), "{found:?}");
        directory.touch("libc.so.6");
        assert_eq!(at("libc.so.6"), directory.path().join("libc.so.6"));
        let gone = at("sub/libc.so.6");
        assert_eq!(gone, directory.path().join("sub/libc.so.6"));
    }

    #[test]
    fn a_file_of_another_system_goes_before_one_of_this_machine() {
        let directory = TempDir::new();
        directory.touch("bin/sh");
        let found = |path: &str| Wanted::first(directory.path(), path.into());
        assert_eq!(found("/bin/sh"), Wanted { root: directory.path(), path: "/bin/sh".into() });
        assert_eq!(found("/etc/passwd"), here("/etc/passwd"));
    }
}
