//! A small host: decodes a picture with libpng, and sees a crash, a timeout and a reset. It prints
//! one line, a JSON object with the outcome of each.
//!
//! With `--reap` another thread waits for every child of the process, as some servers and process
//! managers do. `--libraries DIRECTORY` says where libpng is, if it is not the system's.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use omniglot::Error;
use omniglot_demo::{Decoder, Picture};
use omniglot_places::Outcome;
use rustix::process::{WaitOptions, wait};

use trouble::Trouble;

/// Crashes and endless loops.
mod trouble {
    omniglot::include_library!("trouble");
}

/// How long a call may take that never returns.
const SHORT: Duration = Duration::from_millis(200);
/// How long a start may take. Under valgrind, or in a guest, everything takes a hundred times longer.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mut libraries = None;
    while let Some(argument) = arguments.next() {
        if argument == "--reap" {
            thread::spawn(reap_all_children);
        } else if argument == "--libraries" {
            libraries = arguments.next().map(PathBuf::from);
        }
    }
    let outcome = Outcome {
        decode: said(decode(libraries)),
        crash: said(crash()),
        timeout: said(timeout()),
        reset: said(reset()),
    };
    println!("{}", serde_json::json!(outcome));
    if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes the exit status of whoever ends.
fn reap_all_children() {
    loop {
        if wait(WaitOptions::empty()).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn said(outcome: Result<(), String>) -> String {
    outcome.err().unwrap_or_else(|| Outcome::GOOD.to_owned())
}

/// libpng gives back the pixels of a picture that an encoder in Rust wrote.
fn decode(libraries: Option<PathBuf>) -> Result<(), String> {
    let picture = picture();
    let mut file = Vec::new();
    picture.write_png(&mut file).map_err(|error| error.to_string())?;
    let decoder = libraries.map_or_else(Decoder::new, |place| Decoder::with_libraries(&place));
    let mut decoder = decoder.map_err(|error| error.to_string())?;
    let decoded = decoder.decode(&file).map_err(|error| error.to_string())?;
    if decoded == picture { Ok(()) } else { Err("libpng gave other pixels".to_owned()) }
}

fn picture() -> Picture {
    let (width, height) = (64, 48);
    let rgba = (0..width * height * 4).map(|place| (place * place / 7 % 251) as u8).collect();
    Picture { width, height, rgba }
}

fn start() -> Result<Trouble, String> {
    Trouble::builder().start_timeout(LONG).build().map_err(|error| error.to_string())
}

fn crash() -> Result<(), String> {
    match start()?.trouble_crash() {
        Err(Error::Fault(fault)) if fault.address == 0 => Ok(()),
        other => Err(format!("a fault at 0 was expected, but {other:?}")),
    }
}

fn timeout() -> Result<(), String> {
    let mut library = start()?;
    library.set_timeout(Some(SHORT));
    match library.trouble_loop() {
        Err(Error::Timeout { limit: SHORT }) => Ok(()),
        other => Err(format!("a timeout was expected, but {other:?}")),
    }
}

/// The instance is given up after a crash, and works after a reset.
fn reset() -> Result<(), String> {
    let mut library = start()?;
    for _ in 0..3 {
        let crashed = library.trouble_crash();
        let refused = library.trouble_add(2, 3);
        if !matches!((&crashed, &refused), (Err(Error::Fault(_)), Err(Error::Poisoned { .. }))) {
            return Err(format!("it should be poisoned, but {crashed:?}, {refused:?}"));
        }
        library.reset().map_err(|error| error.to_string())?;
        match library.trouble_add(2, 3) {
            Ok(5) => {}
            other => return Err(format!("2 + 3 after a reset: {other:?}")),
        }
    }
    Ok(())
}
