//! libjpeg-turbo decodes a picture row by row.

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::{Picture, subject, tool};

omniglot::include_library!("jpeg");

subject! {
    JPEG: Jpeg = "libjpeg-turbo" from "libjpeg62-turbo-dev",
    does: "decodes a picture, row by row",
    confirmed: "the command `djpeg`, equal",
    builder: |_input| [],
}

fn input() -> Result<Vec<u8>> {
    tool("cjpeg", &["-quality", "90"], &Picture::new(320, 200).ppm())
}

fn run<R: Runtime>(jpeg: &mut Jpeg<R>, file: &Vec<u8>) -> omniglot::Result<Vec<u8>> {
    jpeg.scope(|jpeg| {
        let bytes = jpeg.copy_in(file)?;
        let errors = jpeg.out::<jpeg_error_mgr>()?;
        let decoder = jpeg.out::<jpeg_decompress_struct>()?;
        let errors = jpeg.jpeg_std_error(errors)?;
        jpeg.write(decoder.field(jpeg_decompress_struct::ERR), errors)?;
        let size = size_of::<jpeg_decompress_struct>();
        jpeg.jpeg_CreateDecompress(decoder, JPEG_LIB_VERSION, size)?;
        jpeg.jpeg_mem_src(decoder, bytes, file.len() as u64)?;
        jpeg.jpeg_read_header(decoder, 1)?;
        jpeg.jpeg_start_decompress(decoder)?;
        let width = jpeg.read(decoder.field(jpeg_decompress_struct::OUTPUT_WIDTH))? as usize;
        let height = jpeg.read(decoder.field(jpeg_decompress_struct::OUTPUT_HEIGHT))?;
        let row = jpeg.zeroed::<u8>(width * 3)?;
        let rows = jpeg.value(row.as_ptr())?;
        let mut pixels = Vec::new();
        for _ in 0..height {
            jpeg.jpeg_read_scanlines(decoder, rows, 1)?;
            pixels.extend_from_slice(&jpeg.view_slice(row)?);
        }
        jpeg.jpeg_finish_decompress(decoder)?;
        jpeg.jpeg_destroy_decompress(decoder)?;
        Ok(pixels)
    })
}

fn confirm(file: &Vec<u8>, pixels: &Vec<u8>) -> Result<()> {
    let expected = tool("djpeg", &["-ppm"], file)?;
    ensure!(expected.ends_with(pixels), "djpeg's pixels differ");
    ensure!(pixels.len() == 320 * 200 * 3, "{} bytes of pixels", pixels.len());
    Ok(())
}
