//! Accesses the disk's file system through another implementation: the Python package
//! littlefs-python, in a virtual environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::watch;
use crate::workspace::Workspace;

/// The package, with a pinned version.
const PACKAGE: &str = "littlefs-python==0.19.0";

/// Opens the image in the first argument: a device of 4096-byte blocks.
const OPEN: &str = "
import sys
from littlefs import LittleFS, UserContext
image, name = sys.argv[1:3]
with open(image, 'rb') as file:
    content = bytearray(file.read())
context = UserContext(len(content))
context.buffer = content
system = LittleFS(context=context, block_size=4096, block_count=len(content) // 4096,
                  read_size=512, prog_size=512, cache_size=512, mount=True)
";

/// Writes the contents of a file on the image to standard output.
const READ: &str = "
with system.open(name, 'rb') as file:
    sys.stdout.buffer.write(file.read())
";

/// Writes the third argument to a file on the image.
const WRITE: &str = "
with system.open(name, 'wb') as file:
    file.write(sys.argv[3].encode())
system.unmount()
with open(image, 'wb') as file:
    file.write(content)
";

/// A Python interpreter that has the package.
pub(super) struct Python(PathBuf);

impl Python {
    /// Creates the virtual environment, unless it exists.
    pub(super) fn set_up(workspace: &Workspace) -> Result<Self> {
        let directory = workspace.target("kernel").join("python");
        let python = directory.join("bin/python");
        if !imports(&python) {
            let mut create = Command::new("python3");
            create.args(["-m", "venv", "--clear"]).arg(&directory);
            watch::step("Making a Python environment", &mut create, &workspace.log("venv"))?;
            let mut install = Command::new(&python);
            install.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", PACKAGE]);
            watch::step("Installing littlefs-python", &mut install, &workspace.log("pip"))?;
        }
        Ok(Self(python))
    }

    /// Reads a file on the image.
    pub(super) fn read(&self, image: &Path, name: &str) -> Result<Vec<u8>> {
        self.run(READ, image, &[name])
    }

    /// Writes a file on the image.
    pub(super) fn write(&self, image: &Path, name: &str, text: &str) -> Result<()> {
        self.run(WRITE, image, &[name, text]).map(|_| ())
    }

    fn run(&self, script: &str, image: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(&self.0);
        command.arg("-c").arg(format!("{OPEN}{script}")).arg(image).args(arguments);
        let output = command.output().context("could not start Python")?;
        if !output.status.success() {
            bail!("littlefs-python: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }
}

/// Returns true if this Python interpreter has the package.
fn imports(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import littlefs"]);
    python.is_file() && command.output().is_ok_and(|output| output.status.success())
}
