//! HarfBuzz shapes text.

use anyhow::{Context as _, Result, ensure};
use omniglot::{FnPtr, Ptr, Runtime};
use real_subject::{subject, tool};

use crate::FONT;

omniglot::include_library!("harfbuzz");

subject! {
    HARFBUZZ: Harfbuzz = "harfbuzz" from "libharfbuzz-dev",
    does: "shapes text in Latin and Arabic letters",
    confirmed: "the command `hb-shape`, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

const TEXTS: [&str; 2] = ["Affine fjord, AV", "السلام عليكم"];

fn input() -> Result<Vec<u8>> {
    Ok(std::fs::read(FONT)?)
}

/// The number, position in the text, advance and offset of each glyph.
type Glyph = (i64, i64, [i64; 3]);

fn run<R: Runtime>(hb: &mut Harfbuzz<R>, font: &Vec<u8>) -> omniglot::Result<Vec<Vec<Glyph>>> {
    hb.scope(|hb| {
        let bytes = hb.copy_in(font)?;
        let mode = hb_memory_mode_t::HB_MEMORY_MODE_READONLY;
        let blob = hb.hb_blob_create(bytes, font.len() as u32, mode, Ptr::null(), FnPtr::null())?;
        let face = hb.hb_face_create(blob, 0)?;
        let font = hb.hb_font_create(face)?;
        let mut lines = Vec::new();
        for text in TEXTS {
            let buffer = hb.hb_buffer_create()?;
            let (place, len) = (hb.str(text)?, text.len() as i32);
            hb.hb_buffer_add_utf8(buffer, place, len, 0, len)?;
            hb.hb_buffer_guess_segment_properties(buffer)?;
            hb.hb_shape(font, buffer, Ptr::null(), 0)?;
            let count = hb.out::<u32>()?;
            let glyphs = hb.hb_buffer_get_glyph_infos(buffer, count)?;
            let places = hb.hb_buffer_get_glyph_positions(buffer, count)?;
            let count = hb.read(count)? as usize;
            let (glyphs, places) = (hb.read_vec(glyphs, count)?, hb.read_vec(places, count)?);
            let line = glyphs.iter().zip(&places).map(|(glyph, place)| {
                let offsets = [place.x_advance, place.x_offset, place.y_offset].map(i64::from);
                (i64::from(glyph.codepoint), i64::from(glyph.cluster), offsets)
            });
            lines.push(line.collect());
            hb.hb_buffer_destroy(buffer)?;
        }
        hb.hb_font_destroy(font)?;
        hb.hb_face_destroy(face)?;
        hb.hb_blob_destroy(blob)?;
        Ok(lines)
    })
}

fn confirm(_: &Vec<u8>, lines: &Vec<Vec<Glyph>>) -> Result<()> {
    for (text, line) in TEXTS.iter().zip(lines) {
        let options = ["--no-glyph-names", "--output-format=json", "--utf8-clusters"];
        let output = tool("hb-shape", &[&options[..], &[FONT, text]].concat(), &[])?;
        let glyphs: Vec<serde_json::Value> = serde_json::from_slice(&output)?;
        let expected: Option<Vec<Glyph>> = glyphs
            .iter()
            .map(|glyph| {
                let number = |name| glyph.get(name).and_then(serde_json::Value::as_i64);
                Some((number("g")?, number("cl")?, [number("ax")?, number("dx")?, number("dy")?]))
            })
            .collect();
        let expected = expected.context("hb-shape writes something else")?;
        ensure!(line == &expected && line.len() > 10, "{text}: {line:?}, not {expected:?}");
    }
    Ok(())
}
