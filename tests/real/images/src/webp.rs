//! libwebp compresses a picture losslessly, and decompresses it.

use std::io::Cursor;

use anyhow::{Result, ensure};
use omniglot::{Ptr, Runtime};
use real_subject::{Picture, subject};

omniglot::include_library!("webp");

subject! {
    WEBP: Webp = "libwebp" from "libwebp-dev",
    does: "packs a picture without loss, and unpacks it",
    confirmed: "the crate image-webp unpacks it, equal",
    builder: |_input| [],
}

fn input() -> Result<Picture> {
    Ok(Picture::new(160, 100))
}

/// The compressed picture, and the result of decompressing it.
type Output = (Vec<u8>, Vec<u8>);

fn run<R: Runtime>(webp: &mut Webp<R>, picture: &Picture) -> omniglot::Result<Output> {
    let (width, height) = (picture.width as i32, picture.height as i32);
    webp.scope(|webp| {
        let pixels = webp.copy_in(&picture.pixels)?;
        let packed = webp.value(Ptr::null())?;
        let len = webp.WebPEncodeLosslessRGB(pixels, width, height, width * 3, packed)?;
        let packed = webp.read(packed)?;
        let (at_width, at_height) = (webp.out::<i32>()?, webp.out::<i32>()?);
        let unpacked = webp.WebPDecodeRGB(packed, len, at_width, at_height)?;
        let pixels = webp.read(at_width)? as usize * webp.read(at_height)? as usize;
        let output = (webp.read_vec(packed, len)?, webp.read_vec(unpacked, pixels * 3)?);
        webp.WebPFree(packed.cast())?;
        webp.WebPFree(unpacked.cast())?;
        Ok(output)
    })
}

fn confirm(picture: &Picture, (packed, unpacked): &Output) -> Result<()> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(packed))?;
    let mut pixels = vec![0; picture.pixels.len()];
    decoder.read_image(&mut pixels)?;
    ensure!(pixels == picture.pixels, "image-webp's pixels differ");
    ensure!(unpacked == &picture.pixels, "libwebp's pixels differ");
    Ok(())
}
