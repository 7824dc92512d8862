//! Libraries that decode sound and pictures that move.
#![forbid(unsafe_code)]
// What `input` makes is what the other functions get a reference to.
#![allow(clippy::ptr_arg)]

mod avcodec;
mod espeak;
mod flac;
mod mpg123;
mod opus;
mod samplerate;
mod vorbis;

use anyhow::Result;
use real_subject::{Subject, tone, tool};

/// All of them.
pub static SUBJECTS: &[&Subject] = &[
    &opus::OPUS,
    &vorbis::VORBIS,
    &flac::FLAC,
    &mpg123::MPG123,
    &avcodec::AVCODEC,
    &samplerate::SAMPLERATE,
    &espeak::ESPEAK,
];

/// Samples each second.
const RATE: u32 = 48_000;

/// A second of sound: two channels.
fn sound() -> Vec<i16> {
    tone(RATE as usize, RATE)
}

/// That sound in a file, as ffmpeg makes it.
fn encoded(codec: &str, format: &str) -> Result<Vec<u8>> {
    let from = ["-v", "error", "-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "-"];
    // No line of the version of ffmpeg, so that the file is the same everywhere.
    let into = ["-c:a", codec, "-bitexact", "-f", format, "-"];
    tool("ffmpeg", &[&from[..], &into].concat(), &bytes(&sound()))
}

/// Samples as bytes.
fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Bytes as samples.
fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// How much louder the sound is than its difference from another, in decibels.
fn nearness(one: &[i16], other: &[i16]) -> f64 {
    let power = |sum: f64, value: f64| sum + value * value;
    let signal = one.iter().map(|sample| f64::from(*sample)).fold(0.0, power);
    let pairs = one.iter().zip(other).map(|(one, other)| f64::from(*one) - f64::from(*other));
    10.0 * (signal / pairs.fold(1.0, power)).log10()
}
