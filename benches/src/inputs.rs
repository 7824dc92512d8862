//! The inputs of the workloads: the same bytes in every run and every process.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use png::{BitDepth, ColorType};

/// The size in pixels of the picture that the paper scales.
const WHOLE: [f64; 2] = [7216.0, 5412.0];
/// Number of the paper's sizes: 0.1 % of the sides, 0.4 %, and so on.
pub(crate) const SIZES: usize = 34;

/// The sources of pictures and text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// A directory of PNG files to use instead of generated pictures, the smallest first.
    pub(crate) images: Option<PathBuf>,
    /// A text to use instead of a generated one.
    pub(crate) text: Option<PathBuf>,
}

impl Inputs {
    /// Returns `len` bytes of English text, or of text with similar statistics.
    pub(crate) fn text(&self, len: usize) -> Result<String> {
        let Some(file) = &self.text else {
            return Ok(prose(len));
        };
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let text = text.get(..len).with_context(|| {
            format!("{} has no {len} bytes of whole characters", file.display())
        })?;
        Ok(text.to_owned())
    }

    /// Returns picture `index` of the generated [`SIZES`], or of those in the user's directory.
    pub(crate) fn picture(&self, index: usize) -> Result<Picture> {
        let Some(directory) = &self.images else {
            return Picture::drawn(index);
        };
        let files = pictures_in(directory)?;
        let file = files.get(index).with_context(|| {
            format!("{} has {} pictures, not {}", directory.display(), files.len(), index + 1)
        })?;
        Picture::read(file)
    }

    /// Returns the number of pictures.
    pub(crate) fn pictures(&self) -> Result<usize> {
        match &self.images {
            Some(directory) => Ok(pictures_in(directory)?.len()),
            None => Ok(SIZES),
        }
    }
}

/// Lists the PNG files in a directory, sorted by name.
fn pictures_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = directory.read_dir();
    let entries = entries.with_context(|| format!("reading {}", directory.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
    files.sort();
    ensure!(!files.is_empty(), "{} has no PNG files", directory.display());
    Ok(files)
}

/// A PNG file, and its decoded pixels.
pub(crate) struct Picture {
    pub(crate) file: Vec<u8>,
    pub(crate) height: u32,
    pub(crate) row_size: usize,
    /// The pixels, decoded by the crate `png`, which shares no code with libpng.
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        Self::decoded(bytes).with_context(|| format!("decoding {}", file.display()))
    }

    /// Generates a picture with the dimensions and the depth of the paper's.
    fn drawn(index: usize) -> Result<Self> {
        let share = (1 + 3 * index) as f64 / 1000.0;
        let [width, height] = WHOLE.map(|side| (side * share).round() as u32);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Sixteen);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&draw(width, height))?;
        writer.finish()?;
        Self::decoded(file)
    }

    fn decoded(file: Vec<u8>) -> Result<Self> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info()?;
        let size = reader.output_buffer_size().context("the picture is too large")?;
        let mut pixels = vec![0; size];
        let info = reader.next_frame(&mut pixels)?;
        ensure!(info.buffer_size() == size, "the picture has other rows than its header says");
        Ok(Self { file, height: info.height, row_size: info.line_size, pixels })
    }
}

/// Draws shades with an occasional edge, and the noise of a 16-bit camera. It can be compressed
/// about as little as the paper's picture.
fn draw(width: u32, height: u32) -> Vec<u8> {
    /// Number of noisy bits in a sample.
    const NOISE: u32 = 12;
    let mut random = Random::new(7);
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let window = if (x / 9 + y / 7) % 3 == 0 { 0x3000 } else { 0 };
            for channel in 0..3 {
                let shade = 0x8000 * y / height + 0x2000 * x / width + 0x800 * channel;
                let sample = shade + window + (random.next() >> (64 - NOISE)) as u32;
                samples.extend((sample as u16).to_be_bytes());
            }
        }
    }
    samples
}

/// Returns random Unicode scalar values, about four bytes each.
pub(crate) fn random_characters(count: usize) -> String {
    let mut random = Random::new(3);
    let scalars = std::iter::repeat_with(|| char::from_u32((random.next() >> 43) as u32));
    scalars.flatten().filter(|scalar| *scalar != '\0').take(count).collect()
}

/// Returns random bytes.
pub(crate) fn random_bytes(count: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    std::iter::repeat_with(|| random.next() as u8).take(count).collect()
}

/// The most frequent words of English, in order of frequency.
const WORDS: [&str; 96] = [
    "the", "of", "and", "to", "a", "in", "that", "he", "was", "it", "his", "is", "with", "as",
    "had", "for", "at", "by", "on", "not", "be", "from", "but", "which", "or", "have", "an",
    "they", "were", "her", "she", "you", "all", "this", "there", "been", "one", "their", "we",
    "him", "who", "would", "when", "will", "more", "if", "no", "out", "so", "said", "what", "up",
    "its", "about", "than", "into", "them", "can", "only", "other", "new", "some", "could", "time",
    "these", "two", "may", "then", "first", "any", "my", "now", "such", "like", "our", "over",
    "man", "me", "even", "most", "made", "after", "also", "did", "many", "before", "must",
    "through", "back", "years", "where", "much", "your", "way", "well", "down",
];

/// Returns sentences of such words, with frequencies by Zipf's law, and of random names.
fn prose(len: usize) -> String {
    let mut random = Random::new(5);
    let mut text = String::new();
    let mut in_sentence = 0;
    while text.len() < len {
        let rank = (WORDS.len() as f64 + 1.0).powf(random.share()) as usize - 1;
        let word = WORDS.get(rank).copied().unwrap_or("the").to_owned();
        let word = if random.next().is_multiple_of(6) { random.name() } else { word };
        let word = if in_sentence == 0 { capitalised(&word) } else { word };
        text.push_str(&word);
        in_sentence += 1;
        let ends = in_sentence > 6 && random.next().is_multiple_of(9);
        text.push_str(if ends { ".\n" } else { " " });
        in_sentence = if ends { 0 } else { in_sentence };
    }
    text.truncate(len);
    text
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
    first.to_uppercase() + rest
}

/// The random number generator `SplitMix64`.
struct Random(u64);

impl Random {
    const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a random word of two or three syllables.
    fn name(&mut self) -> String {
        const SYLLABLES: [&str; 12] =
            ["ba", "con", "der", "el", "fi", "gar", "hol", "in", "ment", "or", "ter", "vin"];
        let count = 2 + self.next() % 2;
        let index = |random: u64| (random % SYLLABLES.len() as u64) as usize;
        (0..count).filter_map(|_| SYLLABLES.get(index(self.next()))).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Inputs, SIZES, random_characters};

    #[test]
    fn pictures_have_the_papers_dimensions() {
        let inputs = Inputs::default();
        let size = |index| {
            let picture = inputs.picture(index).unwrap();
            (picture.row_size / 6, picture.height as usize)
        };
        assert_eq!([size(0), size(3), size(SIZES - 1)], [(7, 5), (72, 54), (722, 541)]);
    }

    #[test]
    fn pictures_can_be_compressed_as_little_as_the_papers() {
        let picture = Inputs::default().picture(SIZES - 1).unwrap();
        let share = picture.file.len() as f64 / picture.pixels.len() as f64;
        assert!((0.7..1.0).contains(&share), "{share}");
    }

    #[test]
    fn text_has_its_length_and_is_the_same_again() {
        let text = |len| Inputs::default().text(len).unwrap();
        assert_eq!(text(1000).len(), 1000);
        assert!(text(100_000).starts_with(&text(64)));
    }

    #[test]
    fn random_characters_are_as_many_as_asked() {
        assert_eq!(random_characters(1000).chars().count(), 1000);
    }
}
