//! Tests one instance of the decoder on many files, valid and damaged.

#![allow(clippy::unwrap_used)]

use std::fs;

use omniglot_demo::{DecodeError, Decoder, Picture, damage, samples};

#[test]
fn the_png_suite_decodes_as_with_the_rust_crate() {
    let mut decoder = Decoder::new().unwrap();
    let suite = samples::png_suite().unwrap();
    assert!(suite.len() >= 60, "{} pictures", suite.len());
    for sample in suite {
        let file = fs::read(&sample.path).unwrap();
        let picture = decoder.decode(&file);
        let reference = Picture::reference(&file).unwrap();
        assert!(
            picture.as_ref() == Ok(&reference),
            "{}: {:?}",
            sample.name.display(),
            picture.err()
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_libpngs_error_and_the_instance_goes_on() {
    let mut decoder = Decoder::new().unwrap();
    let suite = samples::png_suite().unwrap();
    let sample = suite.iter().find(|sample| sample.name.ends_with("basn3p08.png")).unwrap();
    let file = fs::read(&sample.path).unwrap();
    for len in 0..file.len() {
        let error = decoder.decode(&file[..len]).unwrap_err();
        assert!(matches!(error, DecodeError::Libpng(_)), "after {len} bytes: {error}");
    }
    assert_eq!(decoder.decode(&file), Ok(Picture::reference(&file).unwrap()));
}

#[test]
fn damaged_files_are_libpngs_errors_and_the_instance_goes_on() {
    let mut decoder = Decoder::new().unwrap();
    for sample in samples::png_suite().unwrap() {
        let file = fs::read(&sample.path).unwrap();
        for broken in [
            damage::with_wrong_checksum(&file),
            damage::with_changed_data(&file),
            damage::cut_short(&file),
        ] {
            let error = decoder.decode(&broken.unwrap()).unwrap_err();
            assert!(matches!(error, DecodeError::Libpng(_)), "{}: {error}", sample.name.display());
        }
        assert!(decoder.decode(&file).is_ok());
    }
}

#[test]
fn files_that_crashed_others_are_errors_at_worst() {
    let mut decoder = Decoder::new().unwrap();
    let crashers = samples::crashers().unwrap();
    assert!(crashers.len() >= 20, "{} files", crashers.len());
    for sample in crashers {
        let outcome = decoder.decode(&fs::read(&sample.path).unwrap());
        let harmless = matches!(outcome, Ok(_) | Err(DecodeError::Libpng(_)));
        assert!(harmless, "{}: {:?}", sample.name.display(), outcome.err());
    }
}

#[test]
fn what_is_no_png_is_libpngs_error() {
    let mut decoder = Decoder::new().unwrap();
    for file in [&b"not a picture"[..], b"\x89PNG\r\n\x1a\n", b""] {
        assert!(matches!(decoder.decode(file), Err(DecodeError::Libpng(_))));
    }
}

#[test]
fn warnings_are_kept_for_the_last_file() {
    let mut decoder = Decoder::new().unwrap();
    let good = fs::read(samples::default_picture().unwrap().path).unwrap();
    assert!(decoder.decode(&with_broken_gamma(&good)).is_ok());
    assert_eq!(decoder.warnings(), ["gAMA: CRC error"]);
    assert!(decoder.decode(&good).is_ok());
    assert!(decoder.warnings().is_empty());
}

/// Returns a copy with an additional chunk, which libpng ignores because its checksum is wrong.
fn with_broken_gamma(file: &[u8]) -> Vec<u8> {
    let after_header = 33;
    let (start, rest) = file.split_at(after_header);
    [start, b"\0\0\0\x04gAMA", &[0; 8], rest].concat()
}
