//! librsvg draws shapes. (For text pango starts a thread, and ends the program if it cannot.)

use std::io::Cursor;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("rsvg");

subject! {
    RSVG: Rsvg = "librsvg" from "librsvg2-dev",
    does: "draws shapes, with cairo",
    confirmed: "the command `rsvg-convert`, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

const SIZE: i32 = 160;

const PICTURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="160" height="160">
<defs><linearGradient id="g"><stop offset="0" stop-color="#c33"/>
<stop offset="1" stop-color="#33c"/></linearGradient></defs>
<rect width="160" height="160" fill="#eee"/><circle cx="80" cy="60" r="50" fill="url(#g)"/>
<path d="M10 140 Q 80 80 150 140" stroke="#080" stroke-width="5" fill="none"/></svg>"##;

fn input() -> Result<String> {
    Ok(PICTURE.to_owned())
}

fn run<R: Runtime>(rsvg: &mut Rsvg<R>, picture: &String) -> omniglot::Result<Vec<u8>> {
    rsvg.scope(|rsvg| {
        let text = rsvg.copy_in(picture.as_bytes())?;
        let error = rsvg.value(Ptr::null())?;
        let handle = rsvg.rsvg_handle_new_from_data(text, picture.len() as u64, error)?;
        let surface =
            rsvg.cairo_image_surface_create(cairo_format_t::CAIRO_FORMAT_RGB24, SIZE, SIZE)?;
        let cairo = rsvg.cairo_create(surface)?;
        rsvg.cairo_set_source_rgb(cairo, 1.0, 1.0, 1.0)?;
        rsvg.cairo_paint(cairo)?;
        let side = f64::from(SIZE);
        let place = rsvg.value(RsvgRectangle { x: 0.0, y: 0.0, width: side, height: side })?;
        if rsvg.rsvg_handle_render_document(handle, cairo, place, error)? == 0 {
            return Err(Error::Misuse("librsvg says no"));
        }
        rsvg.cairo_surface_flush(surface)?;
        let data = rsvg.cairo_image_surface_get_data(surface)?;
        let len = rsvg.cairo_image_surface_get_stride(surface)? * SIZE;
        let pixels = rsvg.read_vec(data, len as usize)?;
        rsvg.cairo_destroy(cairo)?;
        rsvg.cairo_surface_destroy(surface)?;
        rsvg.g_object_unref(handle.cast())?;
        Ok(pixels)
    })
}

fn confirm(picture: &String, pixels: &Vec<u8>) -> Result<()> {
    let file = tool("rsvg-convert", &["-b", "white", "-f", "png"], picture.as_bytes())?;
    let mut reader = ::png::Decoder::new(Cursor::new(file)).read_info()?;
    let mut expected = vec![0; (SIZE * SIZE * 4) as usize];
    let info = reader.next_frame(&mut expected)?;
    let samples = info.color_type.samples();
    ensure!(samples >= 3, "{:?}", info.color_type);
    let ours = pixels.chunks_exact(4).map(|pixel| [pixel[2], pixel[1], pixel[0]]);
    let theirs = expected[..info.buffer_size()]
        .chunks_exact(samples)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    ensure!(ours.len() == theirs.len(), "{} pixels", ours.len());
    let differ = ours.zip(theirs).filter(|(ours, theirs)| ours != theirs).count();
    ensure!(differ == 0, "{differ} pixels differ");
    Ok(())
}
