//! Images for machines without an operating system: everything linked to one region.
//!
//! A region is code with constants, then RAM: stack, variables, the C library's heap, and
//! the host's part. The stack is at the bottom of the RAM, so that it overflows into the
//! code, which is read-only. The code is copied from the image to the region, not run
//! where the image lies: so one region holds all that C's pointers can point to, string
//! constants too, and the host checks them with one comparison. It costs RAM of the code's
//! size; where RAM is scarce, that is the price to weigh.

mod elf;
mod header;
mod script;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::output;

/// The C library for machines without an operating system: picolibc's settings for GCC.
pub(crate) const SPECS: &str = "--specs=picolibc.specs";

/// The domain's memory, as the user described it. All in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) stack: u32,
    pub(crate) exchange: u32,
    /// The minimum size of the heap; it gets all that is left.
    pub(crate) heap: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { start: 0, len: 0, stack: 8 << 10, exchange: 8 << 10, heap: 0 }
    }
}

/// What every image is linked with, by file name.
pub(crate) const SOURCES: [(&str, &str); 2] = [
    ("omniglot_stubs.S", include_str!("stubs.S")),
    ("omniglot_system.c", include_str!("system.c")),
];

impl Memory {
    /// Finds impossible settings before anything is linked.
    pub(crate) fn check(&self) -> Result<()> {
        const ALIGN: u32 = script::ALIGN;
        let wrong = |what: String| Err(Error::Region { message: what });
        if !self.start.is_multiple_of(ALIGN) || !self.len.is_multiple_of(ALIGN) {
            return wrong(format!("it must start at, and have, a multiple of {ALIGN} bytes"));
        }
        if self.start == 0 || self.start.checked_add(self.len).is_none() {
            return wrong("it must lie above address 0, and within 32 bits".to_owned());
        }
        if self.stack < 512 || self.exchange < 512 {
            return wrong("stack and exchange need 512 bytes at the least".to_owned());
        }
        Ok(())
    }

    /// Writes the linker script and returns its path.
    pub(crate) fn write_script(&self, image: &Path) -> Result<PathBuf> {
        let path = image.with_extension("ld");
        output::write(&path, &script::text(self))?;
        Ok(path)
    }
}

/// The header directory of the C library for machines without an operating system, according to its
/// settings for GCC; `None` if it is not installed: compiling then reports that.
pub(crate) fn headers() -> Vec<PathBuf> {
    let output = std::process::Command::new("riscv64-unknown-elf-gcc")
        .args(["-march=rv32imac", "-mabi=ilp32", SPECS, "-E", "-v", "-xc", "/dev/null"])
        .env("LC_ALL", "C")
        .output();
    let messages = output.map(|output| output.stderr).unwrap_or_default();
    let messages = String::from_utf8_lossy(&messages);
    let lines = messages.lines().skip_while(|line| !line.starts_with("#include <...>"));
    let directories = lines.skip(1).take_while(|line| line.starts_with(' '));
    // GCC's own headers are for GCC: clang has its own.
    let of_library = directories.map(str::trim).filter(|path| !path.contains("/gcc/"));
    of_library.map(PathBuf::from).collect()
}

/// Makes the flat image of a linked ELF file.
pub(crate) fn write_image(elf: &Path, image: &Path) -> Result<()> {
    let failed = |path: &Path, error| Error::File { path: path.to_owned(), error };
    let linked = std::fs::read(elf).map_err(|error| failed(elf, error))?;
    let bytes = header::image(&elf::Linked::new(&linked)?)?;
    std::fs::write(image, bytes).map_err(|error| failed(image, error))
}
