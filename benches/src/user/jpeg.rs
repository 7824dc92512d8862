//! libjpeg-turbo.

use omniglot::{Result, Runtime};

omniglot::include_library!("jpeg");

/// Decodes a picture of three bytes a pixel, row by row. Returns its pixels.
pub(crate) fn decode<R: Runtime>(jpeg: &mut Jpeg<R>, file: &[u8]) -> Result<Vec<u8>> {
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
