//! Pictures, sound and text that are the same on every machine.

use std::f64::consts::TAU;
use std::fmt::Write as _;

/// A picture with three bytes for each pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Number of pixels in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue, pixel by pixel.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Generates a picture with gradients, edges and some noise.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| {
            let noise = (x * 7919 + y * 104_729) % 13;
            let edge = if (x / 16 + y / 16) % 2 == 0 { 60 } else { 0 };
            [x * 180 / width + noise, y * 180 / height + edge, (x * y) % 97 + edge + noise]
                .map(|value| value as u8)
        });
        Self { width, height, pixels: pixels.collect() }
    }

    /// Returns the picture as a PPM file.
    #[must_use]
    pub fn ppm(&self) -> Vec<u8> {
        let header = format!("P6\n{} {}\n255\n", self.width, self.height);
        [header.as_bytes(), &self.pixels].concat()
    }
}

/// Generates two channels of 16-bit samples: a rising tone and a constant one.
#[must_use]
pub fn tone(frames: usize, rate: u32) -> Vec<i16> {
    let at = |frame: usize| frame as f64 / f64::from(rate);
    let samples = (0..frames).flat_map(|frame| {
        let time = at(frame);
        [(TAU * (220.0 + 110.0 * time) * time).sin(), (TAU * 440.0 * time).sin()]
            .map(|value| (value * 12_000.0) as i16)
    });
    samples.collect()
}

/// Generates about `len` bytes of text that can be compressed, but not to almost nothing.
#[must_use]
pub fn prose(len: usize) -> String {
    let words = ["table", "stakes", "memory", "safety", "foreign", "library", "merely", "bridge"];
    let mut text = String::new();
    let mut state = 1_u32;
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = words[(state >> 29) as usize];
        let _ = write!(text, "{word} {} ", state >> 20);
    }
    text
}
