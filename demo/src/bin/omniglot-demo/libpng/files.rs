//! The input and output pictures.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use omniglot_demo::{Picture, samples};
use sha2::{Digest, Sha256};

/// The signature of every PNG file.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The file to decode.
#[derive(Debug)]
pub(crate) struct Input {
    /// The file's origin, for the reader.
    pub(crate) origin: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// Reads the user's file, or the default one.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self> {
        match file {
            Some(path) => Self::read_file(path, path.display().to_string()),
            None => {
                let sample = samples::default_picture()?;
                let origin = format!("crate {}, {}", sample.origin, sample.name.display());
                Self::read_file(&sample.path, origin)
            }
        }
    }

    fn read_file(path: &Path, origin: String) -> Result<Self> {
        let name = path.display();
        let metadata = fs::metadata(path)
            .with_context(|| format!("cannot read {name}; name a PNG file that exists"))?;
        if !metadata.is_file() {
            bail!("{name} is no regular file; name a PNG file");
        }
        let bytes = fs::read(path)
            .with_context(|| format!("cannot read {name}; name a PNG file that you may read"))?;
        if !bytes.starts_with(SIGNATURE) {
            bail!("{name} is no PNG file; name one that is");
        }
        Ok(Self { origin, path: path.to_owned(), bytes })
    }

    /// Returns the SHA-256 of the file, in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The file for the decoded picture.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    /// True if the file is empty and did not exist before.
    is_new: bool,
}

impl Output {
    /// Opens the user's file or the default one early, to find out whether it can be written. Its
    /// contents stay until there is a picture.
    pub(crate) fn open(path: Option<&Path>, input: &Input) -> Result<Self> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => Self::default_path()?,
        };
        let name = path.display();
        let is_new = !path.exists();
        if !is_new && path.canonicalize().ok() == input.path.canonicalize().ok() {
            bail!("{name} is the picture to decode; name another file to write to");
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot write {name}; name a file that you may write"))?;
        Ok(Self { path, file, is_new })
    }

    /// Returns a path next to the demo's program, in cargo's target directory.
    fn default_path() -> Result<PathBuf> {
        let program = std::env::current_exe().context("cannot find the demo's own program")?;
        Ok(program.with_file_name("omniglot-demo.png"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the picture. Returns the file's contents.
    pub(crate) fn write(&mut self, picture: &Picture) -> Result<Vec<u8>> {
        let name = self.path.display();
        let mut encoded = Vec::new();
        picture.write_png(&mut encoded).context("cannot encode the picture")?;
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all(&encoded))
            .with_context(|| format!("cannot write {name}; name a file on a disk with room"))?;
        self.is_new = false;
        fs::read(&self.path).with_context(|| format!("cannot read {name} again"))
    }
}

impl Drop for Output {
    /// Removes the file if it is empty and did not exist before.
    fn drop(&mut self) {
        if self.is_new {
            // If this fails, an empty file remains, which does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}
