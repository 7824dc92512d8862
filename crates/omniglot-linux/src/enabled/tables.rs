//! The addresses that an image gives: read from the window once, then remembered.

use omniglot_core::{Description, Error, Result, Text, Window};
use zerocopy::FromBytes;

/// `struct omniglot_image`.
#[repr(C)]
#[derive(FromBytes)]
struct ImageHeader {
    abi: u32,
    shims: u32,
    slots: u32,
    reserved: u32,
    shim_table: u64,
    trampoline_table: u64,
    callback: u64,
}

const ABI: u32 = 1;

/// Entry addresses in the window. Foreign code gave them and only foreign code uses
/// them, so they need no check beyond their number.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) shims: Vec<usize>,
    pub(super) trampolines: Vec<usize>,
}

impl Tables {
    /// Reads the tables of the image at that foreign address.
    pub(super) fn read(window: &Window, address: usize, description: &Description) -> Result<Self> {
        let mut bytes = [0; size_of::<ImageHeader>()];
        window.read(address, &mut bytes)?;
        let image = ImageHeader::read_from_bytes(&bytes)
            .map_err(|_| Error::Protocol("an image of another size"))?;
        if (image.abi, image.shims, image.slots) != (ABI, description.shims, description.slots) {
            return Err(Error::Load(Text::new(
                "the shims do not fit the bindings; generate both again",
            )));
        }
        Ok(Self {
            shims: read_table(window, image.shim_table, image.shims)?,
            trampolines: read_table(window, image.trampoline_table, image.slots)?,
        })
    }
}

fn read_table(window: &Window, address: u64, count: u32) -> Result<Vec<usize>> {
    if count == 0 {
        return Ok(Vec::new()); // a table without entries may be nowhere
    }
    let mut bytes = vec![0; count as usize * size_of::<usize>()];
    window.read(address as usize, &mut bytes)?;
    let (words, _) = bytes.as_chunks();
    Ok(words.iter().copied().map(usize::from_ne_bytes).collect())
}
