//! `example-zlib compress|decompress`: a filter, like gzip.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::process::ExitCode;

use example_zlib::{Compressor, Decompressor, Format};

const USAGE: &str = "usage: example-zlib compress|decompress < INPUT > OUTPUT";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["compress"] => compress(io::stdin().lock(), io::stdout().lock()),
        ["decompress"] => decompress(io::stdin().lock(), io::stdout().lock()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compress(mut input: impl Read, output: impl Write) -> io::Result<()> {
    const LEVEL: i32 = 6;
    let mut zlib = example_zlib::start()?;
    let mut compressor = Compressor::new(&mut zlib, output, Format::Gzip, LEVEL)?;
    io::copy(&mut input, &mut compressor)?;
    compressor.finish()?.flush()
}

fn decompress(input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut zlib = example_zlib::start()?;
    io::copy(&mut Decompressor::new(&mut zlib, input)?, &mut output)?;
    output.flush()
}
