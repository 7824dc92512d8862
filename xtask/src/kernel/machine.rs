//! The kernel's packages, and what it finds on its machine.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

/// The packages of the kernel and of its tests.
pub(super) const KERNEL: &str = "kernel";
pub(super) const TESTS: &str = "kernel/tests";
/// The package of a program that uses a single library.
pub(super) const SMALLEST: &str = "kernel/smallest";
/// The size of a new disk in bytes. The script for littlefs-python uses the same size.
const DISK: u64 = 1 << 20;
/// The ports of the kernel's services in the machine.
pub(super) const ECHO: u16 = 7;
pub(super) const HTTP: u16 = 80;

/// Creates an empty disk image, unless the file exists.
pub(super) fn make_disk(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("could not create {}", directory.display()))?;
    }
    let file =
        File::create(path).with_context(|| format!("could not create {}", path.display()))?;
    file.set_len(DISK).with_context(|| format!("could not fill {}", path.display()))
}
