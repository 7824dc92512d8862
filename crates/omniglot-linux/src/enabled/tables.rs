//! The addresses in an image's tables: read from the window once, then kept.

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

/// Entry addresses in the window. Foreign code chose them and only foreign code uses them, so only
/// their number is checked.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) shims: Vec<usize>,
    pub(super) trampolines: Vec<usize>,
}

impl Tables {
    /// Reads the tables of the image at that foreign address.
    pub(super) fn read(window: &Window, address: usize, description: &Description) -> Result<Self> {
        let from = |address: usize, into: &mut [u8]| window.read(address, into);
        let image = ImageHeader::read(&from, address)?;
        if (image.abi, image.shims, image.slots) != (ABI, description.shims, description.slots) {
            return Err(misfit());
        }
        image.tables(&from)
    }

    /// Reads them from an image that is not mapped yet, and where the word is that tells foreign
    /// code what calls the host.
    pub(super) fn read_with(
        address: usize,
        from: impl Fn(usize, &mut [u8]) -> Result<()>,
    ) -> Result<(Self, usize)> {
        let image = ImageHeader::read(&from, address)?;
        if image.abi != ABI || image.shims.max(image.slots) > MOST {
            return Err(misfit());
        }
        Ok((image.tables(&from)?, image.callback as usize))
    }
}

/// The most entries of a table that no bindings have been compared with yet.
const MOST: u32 = 1 << 20;

fn misfit() -> Error {
    Error::Load(Text::new("the shims do not fit the bindings; generate both again"))
}

impl ImageHeader {
    fn read(from: &impl Fn(usize, &mut [u8]) -> Result<()>, address: usize) -> Result<Self> {
        let mut bytes = [0; size_of::<Self>()];
        from(address, &mut bytes)?;
        Self::read_from_bytes(&bytes).map_err(|_| Error::Protocol("an image of another size"))
    }

    fn tables(&self, from: &impl Fn(usize, &mut [u8]) -> Result<()>) -> Result<Tables> {
        Ok(Tables {
            shims: read_table(from, self.shim_table, self.shims)?,
            trampolines: read_table(from, self.trampoline_table, self.slots)?,
        })
    }
}

fn read_table(
    from: &impl Fn(usize, &mut [u8]) -> Result<()>,
    address: u64,
    count: u32,
) -> Result<Vec<usize>> {
    if count == 0 {
        return Ok(Vec::new()); // a table without entries may be nowhere
    }
    let mut bytes = vec![0; count as usize * size_of::<usize>()];
    from(address as usize, &mut bytes)?;
    let (words, _) = bytes.as_chunks();
    Ok(words.iter().copied().map(usize::from_ne_bytes).collect())
}
