//! Extracts the kernel proper from the image that a boot loader starts.
//!
//! That image unpacks itself, which takes an emulated processor longer than the rest of its start.
//! QEMU can start the kernel proper as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::watch;
use crate::workspace::Workspace;

/// The magic number of data compressed with zstd.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The length in bytes of the uncompressed size that follows the compressed kernel.
const SIZE_LENGTH: usize = 4;

/// Unpacks the kernel in `image` to a file next to it. Returns `None` if the image has another
/// format.
pub(super) fn unpack(image: &Path, workspace: &Workspace) -> Result<Option<PathBuf>> {
    let bytes = fs::read(image).with_context(|| format!("could not read {}", image.display()))?;
    let Some(packed) = payload(&bytes).filter(|packed| packed.starts_with(&ZSTD)) else {
        return Ok(None);
    };
    let source = image.with_extension("zst");
    fs::write(&source, packed).with_context(|| format!("could not write {}", source.display()))?;
    let target = image.with_extension("elf");
    let mut command = Command::new("zstd");
    command.args(["-d", "-f", "-o"]).arg(&target).arg(&source);
    watch::step("Unpacking the kernel's image", &mut command, &workspace.log("kernel-image"))?;
    Ok(Some(target))
}

/// The compressed kernel, located by the header that the kernel's Documentation/arch/x86/boot.rst
/// describes (since version 2.08 of the boot protocol).
fn payload(image: &[u8]) -> Option<&[u8]> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let number = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let code = (usize::from(*image.get(0x1f1)?) + 1) * 512;
    let (offset, length) = (number(0x248)?, number(0x24c)?);
    let start = code + offset;
    image.get(start..start + length.checked_sub(SIZE_LENGTH)?)
}

#[cfg(test)]
mod tests {
    use super::payload;

    /// An image with three sectors of set-up code and ten bytes of other code before the payload.
    fn image(sign: &[u8; 4], length: u32) -> Vec<u8> {
        let mut image = vec![0; 4 * 512 + 10];
        image[0x1f1] = 3;
        image[0x202..0x206].copy_from_slice(sign);
        image[0x248] = 10;
        image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(b"payload1234");
        image
    }

    #[test]
    fn the_payload_is_where_the_header_says() {
        assert_eq!(payload(&image(b"HdrS", 11)), Some(&b"payload"[..]));
    }

    #[test]
    fn what_is_no_image_has_no_payload() {
        assert_eq!(payload(&image(b"Hdr?", 11)), None);
        assert_eq!(payload(&image(b"HdrS", 16)), None);
        assert_eq!(payload(&image(b"HdrS", 3)), None);
        assert_eq!(payload(b"\x7fELF"), None);
    }
}
