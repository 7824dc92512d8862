//! FreeType draws glyphs of a font.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::subject;

use crate::FONT;

omniglot::include_library!("freetype");

subject! {
    FREETYPE: Freetype = "freetype" from "libfreetype-dev",
    does: "draws the letters of a font",
    confirmed: "the crate fontdue: sizes within a pixel, ink within 2 %",
    builder: |_input| [],
}

const LETTERS: &str = "Omniglot&%";
const SIZE: u32 = 64;

fn input() -> Result<Vec<u8>> {
    Ok(std::fs::read(FONT)?)
}

/// The width, height and total darkness of each letter.
type Output = Vec<(u32, u32, u64)>;

fn run<R: Runtime>(freetype: &mut Freetype<R>, font: &Vec<u8>) -> omniglot::Result<Output> {
    freetype.scope(|freetype| {
        let bytes = freetype.copy_in(font)?;
        let (library, face) = (freetype.value(Ptr::null())?, freetype.value(Ptr::null())?);
        freetype.FT_Init_FreeType(library)?;
        let library = freetype.read(library)?;
        if freetype.FT_New_Memory_Face(library, bytes, font.len() as i64, 0, face)? != 0 {
            return Err(Error::Misuse("FreeType says no"));
        }
        let face = freetype.read(face)?;
        freetype.FT_Set_Pixel_Sizes(face, 0, SIZE)?;
        let mut letters = Vec::new();
        for letter in LETTERS.chars() {
            let flags = FT_LOAD_RENDER | FT_LOAD_NO_HINTING;
            freetype.FT_Load_Char(face, u64::from(letter as u32), flags as i32)?;
            let glyph = freetype.follow(face, FT_FaceRec_::GLYPH)?;
            let bitmap = freetype.follow(glyph, FT_GlyphSlotRec_::BITMAP)?;
            let len = bitmap.pitch as usize * bitmap.rows as usize;
            let pixels = freetype.read_vec(bitmap.buffer, len)?;
            letters.push((
                bitmap.width,
                bitmap.rows,
                pixels.iter().map(|ink| u64::from(*ink)).sum(),
            ));
        }
        Ok(letters)
    })
}

fn confirm(font: &Vec<u8>, letters: &Output) -> Result<()> {
    let settings = fontdue::FontSettings::default();
    let font = fontdue::Font::from_bytes(font.as_slice(), settings).map_err(anyhow::Error::msg)?;
    ensure!(letters.len() == LETTERS.len(), "{} letters", letters.len());
    for (letter, (width, height, ink)) in LETTERS.chars().zip(letters) {
        let (metrics, pixels) = font.rasterize(letter, SIZE as f32);
        let expected: u64 = pixels.iter().map(|ink| u64::from(*ink)).sum();
        let near = ink.abs_diff(expected) * 50 <= expected;
        let size =
            (metrics.width.abs_diff(*width as usize), metrics.height.abs_diff(*height as usize));
        ensure!(
            near && size.0 <= 1 && size.1 <= 1,
            "{letter}: {width}x{height} {ink}, not {metrics:?} {expected}"
        );
    }
    Ok(())
}
