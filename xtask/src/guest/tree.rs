//! The tree of files that a guest starts with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The maximum number of symbolic links on one path, as in the kernel.
const MOST_LINKS: usize = 40;

/// A node of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    /// A symbolic link with this target.
    Link(PathBuf),
    /// A copy of this file of this machine.
    Copy(PathBuf),
    /// A file that is made for the guest.
    Made {
        bytes: Vec<u8>,
        executable: bool,
    },
}

/// Files by absolute paths without symbolic links.
///
/// Files of this machine keep their paths: every link on the way to a file is reproduced.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Tree {
    /// All nodes. Directories come before their contents.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_path(), node))
    }

    /// Returns true if `path` exists, after following all links.
    #[cfg(test)]
    pub(super) fn has(&self, path: &Path) -> bool {
        self.resolve(path).is_some_and(|place| self.nodes.contains_key(&place))
    }

    /// Adds the file or directory at `path` of this machine, without the contents of a directory.
    ///
    /// Returns its path without links, and true if it was not there before.
    pub(super) fn add(&mut self, path: &Path) -> Result<(PathBuf, bool)> {
        self.add_from(Path::new("/"), path)
    }

    /// The same for the file that programs with the root directory `root` find at `path`.
    pub(super) fn add_from(&mut self, root: &Path, path: &Path) -> Result<(PathBuf, bool)> {
        let mut walk = Walk::start(path);
        let mut is_new = false;
        while let Some(next) = walk.next() {
            let source = below(root, &next);
            let status = fs::symlink_metadata(&source)
                .with_context(|| format!("could not find {}", source.display()))?;
            let node = if status.is_symlink() {
                let target = fs::read_link(&source)?;
                walk.follow(&next, &target)?;
                Node::Link(target)
            } else if status.is_dir() {
                Node::Directory
            } else if status.is_file() {
                Node::Copy(source)
            } else {
                bail!("{} is neither a file nor a directory", source.display());
            };
            is_new = !self.nodes.contains_key(&next);
            if is_new {
                self.nodes.insert(next, node);
            }
        }
        Ok((walk.place, is_new))
    }

    /// Adds a node at `path`, unless there already is one. All links on the path must be known.
    pub(super) fn put(&mut self, path: &Path, node: Node) {
        let Some(place) = self.resolve(path) else {
            return;
        };
        for parent in place.ancestors().skip(1) {
            let parent = parent.to_owned();
            self.nodes.entry(parent).or_insert(Node::Directory);
        }
        self.nodes.entry(place).or_insert(node);
    }

    /// Resolves the links of `path` in this tree. The result need not exist.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut walk = Walk::start(path);
        while let Some(next) = walk.next() {
            if let Some(Node::Link(target)) = self.nodes.get(&next) {
                walk.follow(&next, target).ok()?;
            }
        }
        Some(walk.place)
    }
}

/// A walk along a path and the links in it.
struct Walk {
    place: PathBuf,
    /// The remaining names, last one first.
    ahead: Vec<OsString>,
    links: usize,
}

impl Walk {
    fn start(path: &Path) -> Self {
        let mut walk = Self { place: PathBuf::from("/"), ahead: Vec::new(), links: 0 };
        walk.push(path);
        walk
    }

    fn push(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.ahead.push(name.to_owned()),
                Component::ParentDir => self.ahead.push(OsString::from("..")),
                _ => {}
            }
        }
    }

    /// Takes one step, and returns the resulting path.
    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let name = self.ahead.pop()?;
            if name != ".." {
                self.place.push(name);
                return Some(self.place.clone());
            }
            self.place.pop();
        }
    }

    /// Continues with the target of the link at `place`, the result of the last step.
    fn follow(&mut self, place: &Path, target: &Path) -> Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            bail!("too many symbolic links at {}", place.display());
        }
        self.place.pop();
        if target.is_absolute() {
            self.place = PathBuf::from("/");
        }
        self.push(target);
        Ok(())
    }
}

/// The path of the file that programs with the root directory `root` find at `path`, if no link
/// leads elsewhere.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Returns true if anyone may execute the file.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|status| status.is_file() && status.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::{Node, Tree};
    use crate::testing::TempDir;

    fn made() -> Node {
        Node::Made { bytes: Vec::new(), executable: false }
    }

    #[test]
    fn a_file_is_found_through_each_link_that_leads_to_it() {
        let directory = TempDir::new();
        let root = fs::canonicalize(directory.path()).unwrap();
        directory.touch("real/deep/file");
        symlink("real/deep", root.join("relative")).unwrap();
        symlink(root.join("relative/file"), root.join("absolute")).unwrap();
        symlink("../relative/../deep/file", root.join("real/up")).unwrap();

        let mut tree = Tree::default();
        for name in ["absolute", "real/up"] {
            let (place, _) = tree.add(&root.join(name)).unwrap();
            assert_eq!(place, root.join("real/deep/file"), "{name}");
            assert!(tree.has(&root.join(name)), "{name}");
        }
        let link = tree.iter().find(|(path, _)| *path == root.join("relative")).unwrap();
        assert_eq!(link.1, &Node::Link(PathBuf::from("real/deep")));
    }

    #[test]
    fn links_in_another_root_directory_lead_to_places_in_it() {
        let directory = TempDir::new();
        directory.touch("usr/lib/libc.so.6");
        symlink("usr/lib", directory.path().join("lib")).unwrap();
        symlink("/lib/libc.so.6", directory.path().join("usr/absolute")).unwrap();
        symlink("../../../../../usr/absolute", directory.path().join("usr/above")).unwrap();

        let mut tree = Tree::default();
        let (place, _) = tree.add_from(directory.path(), Path::new("/usr/above")).unwrap();
        assert_eq!(place, Path::new("/usr/lib/libc.so.6"));
        let copied = tree.iter().find(|(path, _)| *path == place).unwrap();
        assert_eq!(copied.1, &Node::Copy(directory.path().join("usr/lib/libc.so.6")));
    }

    #[test]
    fn a_second_time_is_told_from_the_first() {
        let directory = TempDir::new();
        directory.touch("file");
        let path = directory.path().join("file");
        let mut tree = Tree::default();
        assert!(tree.add(&path).unwrap().1);
        assert!(!tree.add(&path).unwrap().1);
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let directory = TempDir::new();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        let error = Tree::default().add(&directory.path().join("a")).unwrap_err();
        assert!(error.to_string().contains("too many symbolic links"), "{error}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Tree::default().add(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("could not find /nowhere"), "{error}");
    }

    #[test]
    fn what_is_made_goes_through_links_and_replaces_nothing() {
        let mut tree = Tree::default();
        tree.put(Path::new("/bin"), Node::Link(PathBuf::from("usr/bin")));
        tree.put(Path::new("/bin/sh"), Node::Copy(PathBuf::from("/bin/dash")));
        tree.put(Path::new("/usr/bin/sh"), made());
        let paths: Vec<&Path> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["/", "/bin", "/usr", "/usr/bin", "/usr/bin/sh"].map(Path::new));
        assert!(tree.has(Path::new("/bin/sh")) && !tree.has(Path::new("/bin/env")));
        let kept = Node::Copy(PathBuf::from("/bin/dash"));
        assert!(tree.iter().any(|(_, node)| *node == kept));
    }
}
