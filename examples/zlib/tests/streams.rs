//! Tests both directions and both formats against an independent implementation.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{self, Read, Write};

use example_zlib::{Compressor, Decompressor, Error, Format, compress, start, uncompress};

/// Returns a real text and a real binary: this project's overview, and the test itself.
fn samples() -> Vec<Vec<u8>> {
    let overview = include_bytes!("../../../ARCHITECTURE.md").to_vec();
    let mut program = Vec::new();
    File::open(std::env::current_exe().unwrap())
        .and_then(|file| file.take(1_000_000).read_to_end(&mut program))
        .unwrap();
    vec![Vec::new(), b"x".to_vec(), overview, program]
}

#[test]
fn what_is_written_is_read_by_others() {
    let mut zlib = start().unwrap();
    for (sample, level) in samples().into_iter().zip([9, 0, 1, 6]) {
        let mut packed = Compressor::new(&mut zlib, Vec::new(), Format::Gzip, level).unwrap();
        packed.write_all(&sample).unwrap();
        let packed = packed.finish().unwrap();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
        assert!(text == sample, "{} bytes", sample.len());
    }
}

#[test]
fn what_others_wrote_is_read() {
    let mut zlib = start().unwrap();
    for sample in samples() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&sample).unwrap();
        let mut own = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        own.write_all(&sample).unwrap();
        for packed in [gzip.finish().unwrap(), own.finish().unwrap()] {
            let mut text = Vec::new();
            Decompressor::new(&mut zlib, &packed[..]).unwrap().read_to_end(&mut text).unwrap();
            assert!(text == sample, "{} bytes", sample.len());
        }
    }
}

#[test]
fn streams_after_one_another_are_one_text() {
    let mut zlib = start().unwrap();
    let mut file = Vec::new();
    for part in ["one ", "two ", "three"] {
        let mut packed = Compressor::new(&mut zlib, &mut file, Format::Gzip, 6).unwrap();
        packed.write_all(part.as_bytes()).unwrap();
        packed.finish().unwrap();
    }
    let text = io::read_to_string(Decompressor::new(&mut zlib, &file[..]).unwrap()).unwrap();
    assert_eq!(text, "one two three");
}

#[test]
fn after_a_flush_everything_written_can_be_read() {
    let (mut writing, mut reading) = (start().unwrap(), start().unwrap());
    let mut packed = Compressor::new(&mut writing, Vec::new(), Format::Zlib, 6).unwrap();
    packed.write_all(b"so far").unwrap();
    packed.flush().unwrap();
    let complete = packed.finish().unwrap();
    // After the flush, only the end mark and the checksum follow.
    let flushed = &complete[..complete.len() - 6];
    let mut text = [0; 6];
    Decompressor::new(&mut reading, flushed).unwrap().read_exact(&mut text).unwrap();
    assert_eq!(&text, b"so far");
}

#[test]
fn damaged_data_is_an_error_and_the_instance_goes_on() {
    let mut zlib = start().unwrap();
    let packed = compress(&mut zlib, b"some text, some more text", 6).unwrap();
    let read = |zlib: &mut _, packed: &[u8]| {
        let mut text = Vec::new();
        Decompressor::new(zlib, packed).unwrap().read_to_end(&mut text).map(|_| text)
    };
    for len in 0..packed.len() {
        let error = read(&mut zlib, &packed[..len]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "after {len} bytes: {error}");
    }
    let mut changed = packed.clone();
    *changed.last_mut().unwrap() ^= 1;
    let error = read(&mut zlib, &changed).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(error.to_string(), "damaged data: incorrect data check");
    assert_eq!(read(&mut zlib, &packed).unwrap(), b"some text, some more text");
}

#[test]
fn slices_fit_or_are_refused() {
    let mut zlib = start().unwrap();
    for sample in samples() {
        let packed = compress(&mut zlib, &sample, 9).unwrap();
        let mut text = vec![0; sample.len()];
        assert_eq!(uncompress(&mut zlib, &mut text, &packed), Ok(sample.len()));
        assert!(text == sample);
        if !sample.is_empty() {
            let short = &mut text[1..];
            assert_eq!(uncompress(&mut zlib, short, &packed), Err(Error::TooLong));
        }
    }
    let error = uncompress(&mut zlib, &mut [0; 9], b"no such format").unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error}");
    assert_eq!(compress(&mut zlib, b"text", 10), Err(Error::Status(-2)));
}
