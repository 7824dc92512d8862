//! Libraries that read pictures and draw text.
#![forbid(unsafe_code)]
// What `input` makes is what the other functions get a reference to.
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

/// A font that Debian has, by its file.
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

/// All of them.
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
