//! Libraries of the distribution, unmodified, on every runtime.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::sync::OnceLock;
use std::time::Duration;

use omniglot_core::{Description, Event, Session};
use omniglot_linux::{Options, Permission};
use support::{Driven, image, result, write_frame};

const FLAGS: [&str; 5] = ["-lpng16", "-lz", "-lsodium", "-lbrotlienc", "-lbrotlidec"];

/// The shims of `images/real.c`, after the two that every image has.
const ZLIB: u32 = 2;
const PNG: u32 = 3;
const SODIUM: u32 = 4;
const BROTLI: u32 = 5;

fn real() -> Description {
    static REAL: OnceLock<Description> = OnceLock::new();
    *REAL.get_or_init(|| Description {
        name: "real",
        image: image("real.c", &FLAGS),
        shims: BROTLI + 1,
        slots: 0,
        functions: &["malloc", "free"],
    })
}

/// Whether a round trip of that size brings back what went in.
fn round_trip<R: Driven>(runtime: &mut Session<R>, shim: u32, size: u64) {
    let frame = write_frame(runtime, 0, size, 0);
    let entry = runtime.shim(shim).expect("a shim");
    assert_eq!(runtime.enter(entry, frame), Ok(Event::Returned));
    assert_eq!(result(runtime, 0), 1, "shim {shim}, size {size}");
}

fn round_trips<R: Driven>(shim: u32, sizes: &[u64]) {
    let mut options = Options::default();
    options.start_timeout = Duration::from_secs(300);
    // libsodium asks for random bytes.
    options.allow = [Permission::Random].into_iter().collect();
    let mut runtime = Session::new(R::load(&real(), &options).expect("the libraries load"));
    for _ in 0..2 {
        for size in sizes {
            round_trip(&mut runtime, shim, *size);
        }
        runtime.reset().expect("a reset");
    }
}

fn zlib_brings_back_what_went_in<R: Driven>() {
    round_trips::<R>(ZLIB, &[1000, 4 << 20]);
}

fn png_brings_back_what_went_in<R: Driven>() {
    round_trips::<R>(PNG, &[8, 256]);
}

fn sodium_brings_back_what_went_in<R: Driven>() {
    round_trips::<R>(SODIUM, &[1000, 1 << 20]);
}

fn brotli_brings_back_what_went_in<R: Driven>() {
    round_trips::<R>(BROTLI, &[1000, 1 << 20]);
}

on_every_runtime! {
    zlib_brings_back_what_went_in
    png_brings_back_what_went_in
    sodium_brings_back_what_went_in
    brotli_brings_back_what_went_in
}
