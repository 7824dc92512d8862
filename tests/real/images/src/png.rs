//! libpng's simple interface decodes a picture.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Picture, subject};

omniglot::include_library!("png");

subject! {
    PNG: Png = "libpng" from "libpng-dev",
    does: "decodes a picture",
    confirmed: "the crate png, which wrote it, equal",
    builder: |_input| [],
}

fn input() -> Result<Vec<u8>> {
    let picture = Picture::new(300, 200);
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 300, 200);
    encoder.set_color(::png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.pixels)?;
    writer.finish()?;
    Ok(file)
}

fn run<R: Runtime>(png: &mut Png<R>, file: &Vec<u8>) -> omniglot::Result<Vec<u8>> {
    const NO: Error = Error::Misuse("libpng says no");
    png.scope(|png| {
        let bytes = png.copy_in(file)?;
        let image = png_image { version: PNG_IMAGE_VERSION as u32, ..png_image::default() };
        let image = png.value(image)?;
        if png.png_image_begin_read_from_memory(image, bytes, file.len())? == 0 {
            return Err(NO);
        }
        png.write(image.field(png_image::FORMAT), PNG_FORMAT_FLAG_COLOR)?;
        let header = png.read(image)?;
        let pixels = png.reserve::<u8>(header.width as usize * header.height as usize * 3)?;
        if png.png_image_finish_read(image, Ptr::null(), pixels, 0, Ptr::null())? == 0 {
            return Err(NO);
        }
        Ok(png.view_slice(pixels)?.to_vec())
    })
}

fn confirm(_: &Vec<u8>, pixels: &Vec<u8>) -> Result<()> {
    ensure!(pixels == &Picture::new(300, 200).pixels, "the pixels differ");
    Ok(())
}
