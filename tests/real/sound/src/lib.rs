//! Libraries that decode sound and video.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
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

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[
    &opus::OPUS,
    &vorbis::VORBIS,
    &flac::FLAC,
    &mpg123::MPG123,
    &avcodec::AVCODEC,
    &samplerate::SAMPLERATE,
    &espeak::ESPEAK,
];

/// Samples per second.
const RATE: u32 = 48_000;

/// Returns one second of sound with two channels.
fn sound() -> Vec<i16> {
    tone(RATE as usize, RATE)
}

/// Returns that sound in a file, encoded by ffmpeg.
fn encoded(codec: &str, format: &str) -> Result<Vec<u8>> {
    let from = ["-v", "error", "-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "-"];
    // `-bitexact` omits ffmpeg's version, so that the file is the same everywhere.
    let into = ["-c:a", codec, "-bitexact", "-f", format, "-"];
    tool("ffmpeg", &[&from[..], &into].concat(), &bytes(&sound()))
}

/// Converts samples to bytes.
fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Converts bytes to samples.
fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Returns the signal-to-noise ratio of one sound relative to another, in decibels.
fn nearness(one: &[i16], other: &[i16]) -> f64 {
    let power = |sum: f64, value: f64| sum + value * value;
    let signal = one.iter().map(|sample| f64::from(*sample)).fold(0.0, power);
    let pairs = one.iter().zip(other).map(|(one, other)| f64::from(*one) - f64::from(*other));
    10.0 * (signal / pairs.fold(1.0, power)).log10()
}
