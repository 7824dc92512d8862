//! The files that a library finds in its domain: those that the user provides, as one sealed file
//! in memory that every worker maps read-only.
//!
//! The format is `struct tree` of `worker/control.h`: a count, the files in the order of their
//! paths, the paths, and then their contents.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use omniglot_core::{Error, Result, Text};
use zerocopy::{Immutable, IntoBytes};

use super::images::{executable_memory, seal};
use super::layout::page_size;
use super::system::failed;
use crate::options::{FileSource, Options};

/// How deep directories may be nested: links may form circles.
const DEEPEST: u32 = 32;

/// `struct tree_file`.
#[repr(C)]
#[derive(Clone, Copy, IntoBytes, Immutable)]
struct Entry {
    path: u64,
    path_length: u32,
    is_directory: u32,
    data: u64,
    size: u64,
}

const _: () = assert!(size_of::<Entry>() == 32, "the layout that the worker reads");

/// The sealed file and its length in bytes, whole pages.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) file: OwnedFd,
    pub(super) len: usize,
}

/// What is at a path.
#[derive(Clone, Copy)]
enum Node<'a> {
    Directory,
    Bytes(&'a [u8]),
    File,
}

/// The planned content, by path; for files of the host, the path there.
type Nodes<'a> = BTreeMap<Vec<u8>, (Node<'a>, PathBuf)>;

impl Tree {
    /// Returns true if the two hold the same, as far as can be read.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.len == other.len && self.bytes().is_some_and(|own| Some(own) == other.bytes())
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let file = File::from(self.file.try_clone().ok()?);
        let mut bytes = vec![0; self.len];
        file.read_exact_at(&mut bytes, 0).ok()?;
        Some(bytes)
    }

    /// Reads all that the user gives; `None` if that is nothing.
    pub(super) fn build(options: &Options) -> Result<Option<Self>> {
        if options.files.is_empty() && options.plugin_directories.is_empty() {
            return Ok(None);
        }
        let mut nodes = Nodes::new();
        for place in &options.plugin_directories {
            add_directory(&mut nodes, &inside(place)?, place, DEEPEST)?;
        }
        for (path, source) in &options.files {
            let path = inside(path)?;
            match source {
                FileSource::Bytes(bytes) => {
                    add(&mut nodes, path, Node::Bytes(bytes), Path::new(""))
                }
                FileSource::Path(place) => add(&mut nodes, path, Node::File, place),
                FileSource::Directory(place) => add_directory(&mut nodes, &path, place, DEEPEST)?,
            }
        }
        if options.tmp > 0 && nodes.keys().any(|path| path == b"/tmp" || path.starts_with(b"/tmp/"))
        {
            return Err(about(
                Path::new("/tmp"),
                "is the library's own, where no file can be given",
            ));
        }
        write(&nodes).map(Some)
    }
}

/// The path of a file in the domain, absolute and without `.` and `..`.
fn inside(path: &Path) -> Result<Vec<u8>> {
    let wrong = |what| Err(about(path, what));
    if !path.is_absolute() {
        return wrong("a file's path in the domain must be absolute");
    }
    let mut clean = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                clean.push(b'/');
                clean.extend_from_slice(name.as_bytes());
            }
            _ => return wrong("a file's path in the domain must have no .. in it"),
        }
    }
    match clean.len() {
        0 => wrong("the root itself cannot be given, only what is in it"),
        4096.. => wrong("a file's path in the domain must be shorter than 4096 bytes"),
        _ => Ok(clean),
    }
}

/// Adds a file or directory and all directories that it lies in.
fn add<'a>(nodes: &mut Nodes<'a>, path: Vec<u8>, node: Node<'a>, place: &Path) {
    for (end, _) in path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/') {
        nodes.entry(path[..end].to_vec()).or_insert((Node::Directory, PathBuf::new()));
    }
    nodes.insert(path, (node, place.to_path_buf()));
}

fn add_directory(nodes: &mut Nodes<'_>, path: &[u8], place: &Path, deepest: u32) -> Result<()> {
    let wrong = |error: io::Error| about(place, &error.to_string());
    add(nodes, path.to_vec(), Node::Directory, place);
    for entry in fs::read_dir(place).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let mut inner = path.to_vec();
        inner.push(b'/');
        inner.extend_from_slice(entry.file_name().as_bytes());
        let status = match fs::metadata(entry.path()) {
            Ok(status) => status,
            // A dangling link is no file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(about(&entry.path(), &error.to_string())),
        };
        if status.is_file() {
            add(nodes, inner, Node::File, &entry.path());
        } else if status.is_dir() && deepest > 0 {
            add_directory(nodes, &inner, &entry.path(), deepest - 1)?;
        } else if status.is_dir() {
            return Err(about(place, "directories lie too deep in one another"));
        }
    }
    Ok(())
}

/// The domain's own files (`worker/server/tree.c`) cannot be replaced.
fn is_own(path: &[u8]) -> bool {
    const OWN: [&[u8]; 5] = [b"/dev", b"/dev/null", b"/dev/random", b"/dev/urandom", b"/dev/zero"];
    OWN.contains(&path)
}

fn write(nodes: &Nodes<'_>) -> Result<Tree> {
    let file = File::from(executable_memory(c"omniglot-files")?);
    let wrong = failed("writing the domain's files to memory");
    let nodes: Vec<_> = nodes.iter().filter(|(path, _)| !is_own(path)).collect();
    let mut head = (nodes.len() as u64).to_ne_bytes().to_vec();
    let mut next_path = head.len() + nodes.len() * size_of::<Entry>();
    let paths: Vec<u8> = nodes.iter().flat_map(|(path, _)| path.iter().copied()).collect();
    let mut next_data = (next_path + paths.len()).next_multiple_of(page_size());
    for (path, (node, place)) in nodes {
        let read;
        let bytes: &[u8] = match node {
            Node::Directory => &[],
            Node::Bytes(bytes) => bytes,
            Node::File => {
                read = fs::read(place).map_err(|error| about(place, &error.to_string()))?;
                &read
            }
        };
        file.write_all_at(bytes, next_data as u64).map_err(&wrong)?;
        let entry = Entry {
            path: next_path as u64,
            path_length: path.len() as u32,
            is_directory: u32::from(matches!(node, Node::Directory)),
            data: next_data as u64,
            size: bytes.len() as u64,
        };
        head.extend_from_slice(entry.as_bytes());
        next_path += path.len();
        next_data = (next_data + bytes.len()).next_multiple_of(page_size());
    }
    head.extend_from_slice(&paths);
    file.write_all_at(&head, 0).map_err(&wrong)?;
    file.set_len(next_data as u64).map_err(&wrong)?;
    Ok(Tree { file: seal(file)?, len: next_data })
}

fn about(path: &Path, what: &str) -> Error {
    Error::Load(Text::from_untrusted(format!("{}: {what}", path.display()).as_bytes()))
}
