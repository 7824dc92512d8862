//! A decoded picture, and a decoder in Rust for comparison.

use std::io::{Cursor, Write};

use png::{ColorType, DecodingError, EncodingError, Limits, OutputInfo, Transformations};

/// A decoded picture: eight bits each of red, green, blue and alpha.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The pixels, row by row, without gaps.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// Decodes with the crate `png`, which shares no code with libpng.
    ///
    /// # Errors
    /// If the file is damaged or not a PNG file.
    pub fn reference(file: &[u8]) -> Result<Self, DecodingError> {
        let limits = Limits { bytes: usize::MAX };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
        decoder.set_transformations(
            Transformations::EXPAND | Transformations::STRIP_16 | Transformations::ALPHA,
        );
        let mut reader = decoder.read_info()?;
        let size = reader.output_buffer_size().ok_or(DecodingError::LimitsExceeded)?;
        let mut pixels = vec![0; size];
        let info = reader.next_frame(&mut pixels)?;
        reader.finish()?;
        pixels.truncate(info.buffer_size());
        Ok(Self::from_output(&info, pixels))
    }

    fn from_output(info: &OutputInfo, pixels: Vec<u8>) -> Self {
        let rgba = match info.color_type {
            ColorType::GrayscaleAlpha => gray_to_rgb(&pixels),
            _ => pixels,
        };
        Self { width: info.width, height: info.height, rgba }
    }

    /// Writes the picture as a PNG file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_png(&self, into: impl Write) -> Result<(), EncodingError> {
        let mut encoder = png::Encoder::new(into, self.width, self.height);
        encoder.set_color(ColorType::Rgba);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgba)?;
        writer.finish()
    }
}

fn gray_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let (pixels, _) = pixels.as_chunks();
    pixels.iter().flat_map(|[gray, alpha]| [*gray, *gray, *gray, *alpha]).collect()
}
