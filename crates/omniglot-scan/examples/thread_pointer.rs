//! Counts a library's exported functions that never use the FS base. For these the gate into a
//! domain in the host's process does not write the FS base.
//!
//! ```console
//! $ cargo run --release -p omniglot-scan --example thread_pointer -- /lib/x86_64-linux-gnu/libz.so.1
//! ```
//!
//! Calls into other libraries are not followed here, since a file does not say where they lead. In
//! a domain they are followed if the library was linked with `-z relro -z now`.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::error::Error;

use omniglot_scan::{Code, Image, LoadedCode, spares_thread_pointer};

/// A file's code at the addresses that it has when loaded at address zero.
struct File<'a>(Vec<Code<'a>>);

impl LoadedCode for File<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> usize {
        let rest = self.0.iter().find_map(|code| code.from(address)).unwrap_or_default();
        let count = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        count
    }

    fn constant(&self, _address: u64) -> Option<u64> {
        None
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let image = Image::parse(&bytes)?;
        let exports: HashSet<&str> = image.exports().iter().map(String::as_str).collect();
        let is_exported = |address: u64| {
            image
                .place(address)
                .is_some_and(|place| place.offset == 0 && exports.contains(place.symbol))
        };
        let starts = image.function_starts().iter().copied();
        let functions: Vec<u64> = starts.filter(|start| is_exported(*start)).collect();
        let file = File(image.code());
        let count = functions.iter().filter(|start| spares_thread_pointer(&file, **start)).count();
        println!("{path}: {count} of {} exported functions", functions.len());
    }
    Ok(())
}
