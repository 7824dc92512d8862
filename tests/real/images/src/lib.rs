//! Libraries that read pictures and draw text.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
#![allow(clippy::ptr_arg)]

mod cairo;
mod freetype;
mod gif;
mod harfbuzz;
mod jpeg;
mod openjpeg;
mod png;
mod rsvg;
mod tiff;
mod webp;

use real_subject::Subject;

/// The file of a font that Debian has.
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[
    &jpeg::JPEG,
    &tiff::TIFF,
    &webp::WEBP,
    &openjpeg::OPENJPEG,
    &gif::GIFLIB,
    &png::PNG,
    &rsvg::RSVG,
    &cairo::CAIRO,
    &freetype::FREETYPE,
    &harfbuzz::HARFBUZZ,
];
