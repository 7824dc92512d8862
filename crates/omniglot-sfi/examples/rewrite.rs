//! Rewrites objects and archives into an image:
//! `cargo run -p omniglot-sfi --example rewrite -- IMAGE [--trap] [--all] FILES…`.
//! With `--all`, everything that the preceding archives define is exported.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;

use omniglot_sfi::Rewriter;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(output) = arguments.next() else { return Err("which image?".into()) };
    let mut rewriter = Rewriter::new();
    for argument in arguments {
        match argument.as_str() {
            "--trap" => {
                rewriter.trap_unsupported();
            }
            "--all" => {
                rewriter.export_archives();
            }
            name => {
                let bytes = std::fs::read(name)?;
                if name.ends_with(".a") {
                    rewriter.archive(name, &bytes)?;
                } else {
                    rewriter.object(name, &bytes)?;
                }
            }
        }
    }
    let image = rewriter.rewrite()?;
    let (before, after) = image.code;
    let growth = 100.0 * after as f64 / before.max(1) as f64;
    println!("{before} bytes of code became {after} ({growth:.1} %); {:?}", image.uses);
    for problem in &image.trapped {
        println!("stops instead: {problem}");
    }
    std::fs::write(output, image.bytes)?;
    Ok(())
}
