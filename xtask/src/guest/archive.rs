//! Writes a tree of files as the archive that a kernel unpacks when it starts (cpio, "newc").

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

use super::tree::{Node, Tree};

/// Writes `tree` to the file `archive`.
pub(super) fn write(tree: &Tree, archive: &Path) -> Result<()> {
    let file =
        File::create(archive).with_context(|| format!("could not create {}", archive.display()))?;
    let mut out = BufWriter::new(file);
    for (number, (path, node)) in (1..).zip(tree.iter()) {
        entry(&mut out, number, path, node)
            .with_context(|| format!("could not pack {}", path.display()))?;
    }
    trailer(&mut out).and_then(|out| out.flush()).context("could not finish the archive")
}

fn entry(out: &mut impl Write, number: u32, path: &Path, node: &Node) -> Result<()> {
    let Ok(name) = path.strip_prefix("/") else {
        return Ok(());
    };
    let name = name.to_str().context("its name is not UTF-8")?;
    if name.is_empty() {
        return Ok(()); // the root is there already
    }
    // Files with the same inode number would become one file.
    let builder = Builder::new(name).ino(number).nlink(1);
    match node {
        Node::Directory => {
            contents(builder.mode(0o755).set_mode_file_type(ModeFileType::Directory), out, &[])
        }
        Node::Link(target) => {
            let builder = builder.mode(0o777).set_mode_file_type(ModeFileType::Symlink);
            contents(builder, out, target.as_os_str().as_bytes())
        }
        Node::Made { bytes, executable } => {
            let mode = if *executable { 0o755 } else { 0o644 };
            contents(builder.mode(mode).set_mode_file_type(ModeFileType::Regular), out, bytes)
        }
        Node::Copy(source) => copy(builder, out, source),
    }
}

fn contents(builder: Builder, out: &mut impl Write, bytes: &[u8]) -> Result<()> {
    let size = u32::try_from(bytes.len()).context("it is too large")?;
    let mut writer = builder.write(out, size);
    writer.write_all(bytes)?;
    writer.finish()?;
    Ok(())
}

fn copy(builder: Builder, out: &mut impl Write, source: &Path) -> Result<()> {
    let mode = fs::metadata(source)?.mode() & 0o777;
    let builder = builder.mode(mode).set_mode_file_type(ModeFileType::Regular);
    let file = File::open(source)?;
    let size = file.metadata()?.len();
    let mut writer = builder.write(out, u32::try_from(size).context("it is too large")?);
    // A file that grows meanwhile is truncated. One that shrinks is an error.
    let copied = io::copy(&mut file.take(size), &mut writer)?;
    anyhow::ensure!(copied == size, "it became smaller while it was read");
    writer.finish()?;
    Ok(())
}
