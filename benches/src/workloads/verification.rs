//! The verification of an image's code, which happens once in a process.

use anyhow::{Context as _, Result};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, elf};
use omniglot::{Library, Linux};
use omniglot_turns::{Variant, Workload};
use omniglot_verify::layout::GATES;
use omniglot_verify::{Text, verify};

use crate::inputs::Inputs;
use crate::user::png::Png;

/// One operation verifies libpng's image. The size is that of its code in bytes.
pub(crate) fn verification(_: &Inputs, _: usize) -> Result<Workload> {
    let image = <Png<Linux> as Library>::DESCRIPTION.sandboxed().context("libpng has no image")?;
    let file = ElfFile64::<Endianness>::parse(image)?;
    let endian = Endianness::Little;
    let mut segments = file.elf_program_headers().iter();
    let code = segments
        .find(|segment| segment.p_flags(endian).0 & elf::PF_X.0 != 0)
        .context("an image without code")?;
    let bytes = code.data(endian, image).ok().context("code that is not in the file")?;
    let at = code.p_vaddr(endian);
    let variant = Variant::new("sfi", move |count| {
        for _ in 0..count {
            verify(&Text { bytes, at, gates: GATES })?;
        }
        Ok(())
    });
    Ok(Workload { size: bytes.len(), variants: vec![variant] })
}
