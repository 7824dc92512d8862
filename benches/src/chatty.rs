//! The work of libraries that are called often, for little work each time: the same for every
//! variant, in every process, with results that are known.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use jpeg_encoder::{ColorType, Encoder};

pub(crate) use crate::native::lua::answer;

/// A program in Lua, which calls the function `host` and returns a number.
pub(crate) struct Program {
    pub(crate) text: String,
    pub(crate) result: i64,
}

impl Program {
    /// Makes one that calls [`answer`] so many times.
    pub(crate) fn new(calls: usize) -> Result<Self> {
        let text = format!(
            "local parts = {{}}
            for number = 1, {calls} do parts[#parts + 1] = host(number) % 101 end
            table.sort(parts)
            local sum = 0
            for place, part in ipairs(parts) do sum = sum + place * part end
            return sum"
        );
        let numbers = 1..=i64::try_from(calls)?;
        let mut parts: Vec<i64> = numbers.clone().map(|number| answer(number) % 101).collect();
        parts.sort_unstable();
        let result = numbers.zip(parts).map(|(place, part)| place * part).sum();
        Ok(Self { text, result })
    }
}

/// A document in JSON with an array of numbers.
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) sum: i64,
}

impl Document {
    pub(crate) fn new(numbers: usize) -> Result<Self> {
        let mut text = r#"{"name": "part 7", "half": 0.5, "numbers": ["#.to_owned();
        let mut sum = 0;
        for index in 0..i64::try_from(numbers)? {
            let number = index * index % 997;
            let comma = if index == 0 { "" } else { "," };
            write!(text, "{comma}{number}")?;
            sum += number;
        }
        text.push_str("]}");
        Ok(Self { text, sum })
    }
}

/// The greatest mean difference of a sample after compression with [`QUALITY`].
const DIFFERENCE: u64 = 3;
const QUALITY: u8 = 90;

/// A JPEG file, and what was drawn there.
pub(crate) struct Photograph {
    pub(crate) file: Vec<u8>,
    drawn: Vec<u8>,
}

impl Photograph {
    /// Makes one of so many bytes of pixels, three for each. It is written by another
    /// implementation than libjpeg-turbo.
    pub(crate) fn new(bytes: usize) -> Result<Self> {
        // The sides are as 8 to 5.
        let unit = (bytes / 3 / 40).isqrt();
        let (width, height) = (u16::try_from(unit * 8)?, u16::try_from(unit * 5)?);
        let drawn = draw(width.into(), height.into());
        ensure!(drawn.len() == bytes, "no picture has {bytes} bytes");
        let mut file = Vec::new();
        Encoder::new(&mut file, QUALITY).encode(&drawn, width, height, ColorType::Rgb)?;
        Ok(Self { file, drawn })
    }

    /// Compares with what was drawn, of which compression has lost a little.
    pub(crate) fn check(&self, pixels: &[u8]) -> Result<()> {
        ensure!(pixels.len() == self.drawn.len(), "{} bytes of pixels", pixels.len());
        let pairs = self.drawn.iter().zip(pixels);
        let total: u64 = pairs.map(|(drawn, decoded)| u64::from(drawn.abs_diff(*decoded))).sum();
        let samples = u64::try_from(pixels.len())?;
        let mean = total.checked_div(samples).context("a picture without pixels")?;
        ensure!(mean < DIFFERENCE, "not what was drawn");
        Ok(())
    }
}

/// Draws shades with an occasional edge, and a little noise.
fn draw(width: usize, height: usize) -> Vec<u8> {
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let noise = (x * 7919 + y * 104_729) % 5;
            let edge = if (x / 16 + y / 16) % 2 == 0 { 60 } else { 0 };
            let (across, down) = (x * 180 / width, y * 180 / height);
            samples.extend([across + edge, down + edge, 90 + edge + noise].map(|v| v as u8));
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::Photograph;

    #[test]
    fn other_pictures_are_not_taken_for_what_was_drawn() {
        let photograph = Photograph::new(120 * 64).unwrap();
        photograph.check(&photograph.drawn).unwrap();
        let other =
            photograph.drawn.iter().map(|sample| sample.wrapping_add(4)).collect::<Vec<_>>();
        photograph.check(&other).unwrap_err();
        photograph.check(&other[1..]).unwrap_err();
    }
}
