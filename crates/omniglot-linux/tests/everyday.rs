//! Libraries of the distribution, unmodified, at what they could not do without a world of their
//! own: a database in a file, a time zone, a locale, threads that are not to be had. In a worker, and
//! in this process.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::sync::OnceLock;
use std::time::Duration;

use omniglot_core::{Description, Event, Session};
use omniglot_linux::{FileSource, Options};
use support::{World, image_of_both, read_word, result, write_frame};

#[derive(Clone, Copy)]
enum Shim {
    Make = 2,
    Sum,
    Hour,
    Characters,
    Zstd,
    Convert,
}

fn start<R: World>(options: &Options) -> Session<R> {
    static EVERYDAY: OnceLock<Description> = OnceLock::new();
    let description = *EVERYDAY.get_or_init(|| Description {
        name: "everyday",
        image: image_of_both(
            "everyday.c",
            &["-lsqlite3", "-lzstd"],
            &["libsqlite3.a", "libzstd.a"],
        ),
        shims: 8,
        slots: 0,
        functions: &["malloc", "free"],
    });
    let mut options = options.clone();
    options.start_timeout = Duration::from_secs(300);
    Session::new(R::load(&description, &options).expect("the libraries load"))
}

fn call<R: World>(library: &mut Session<R>, shim: Shim, a: u64, b: u64) -> u64 {
    let frame = write_frame(library, 0, a, b);
    let entry = library.shim(shim as u32).expect("a shim");
    let requests = |library: &Session<R>| format!("{:?}", library.requests());
    let outcome = library.enter(entry, frame);
    assert_eq!(outcome, Ok(Event::Returned), "asked: {}", requests(library));
    result(library, 0)
}

/// Writes a string for the library.
fn text<R: World>(library: &mut Session<R>, text: &str) -> u64 {
    let at = library.exchange().0 + 4096;
    library.write(at, text.as_bytes()).expect("there is room");
    library.write(at + text.len(), &[0]).expect("there is room");
    at as u64
}

/// A database as SQLite itself makes it.
fn database<R: World>() -> Vec<u8> {
    let mut library = start::<R>(&Options::default());
    let place = library.exchange().0 + 4096;
    let size = call(&mut library, Shim::Make, place as u64, 0);
    let mut bytes = vec![0; size as usize];
    let address = read_word(&library, place) as usize;
    library.window().read(address, &mut bytes).expect("in the window");
    assert!(bytes.starts_with(b"SQLite format 3\0"), "{size} bytes");
    bytes
}

/// With SQLite's own way to files, also where it first tries to open them to be written.
fn sqlite_reads_a_database_from_a_file<R: World>() {
    const SUM: u64 = 1000 * 1001 * 2001 / 6;
    const READ_ONLY: u64 = 1;
    const READ_WRITE_CREATE: u64 = 6;
    let mut options = Options::default();
    options.files = vec![("/data/squares.db".into(), FileSource::from(database::<R>()))];
    let mut library = start::<R>(&options);
    for _ in 0..2 {
        for how in [READ_ONLY, READ_WRITE_CREATE] {
            let name = text(&mut library, "/data/squares.db");
            assert_eq!(call(&mut library, Shim::Sum, name, how), SUM, "{:?}", library.requests());
            let name = text(&mut library, "/data/none.db");
            assert_eq!(call(&mut library, Shim::Sum, name, how), 0);
        }
        library.reset().expect("a reset");
    }
}

/// The rules of a zone as a file, in the format of RFC 8536: version 2, one type, no transitions. What
/// follows is in the footer.
fn zone(hours: i32) -> Vec<u8> {
    let counts = [0_u32, 0, 0, 0, 1, 4];
    let mut block = b"TZif2".to_vec();
    block.extend([0; 15]);
    block.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    block.extend((hours * 3600).to_be_bytes());
    block.extend([0, 0]);
    block.extend(b"ABC\0");
    let mut file = block.repeat(2); // with times of 32 and of 64 bits
    file.extend(format!("\nABC{}\n", -hours).bytes());
    file
}

fn a_time_zone_is_read_from_its_file<R: World>() {
    let mut options = Options::default();
    options.environment = vec![("TZ".into(), "Some/Where".into())];
    assert_eq!(
        call(&mut start::<R>(&options), Shim::Hour, 86_400, 0),
        0,
        "no file: the time of UTC"
    );
    options.files = vec![("/usr/share/zoneinfo/Some/Where".into(), FileSource::from(zone(5)))];
    let mut library = start::<R>(&options);
    assert_eq!(call(&mut library, Shim::Hour, 86_400, 0), 5, "{:?}", library.requests());
}

/// The locale's files are those of the system (libc-bin has them everywhere).
fn characters_of_utf8_are_counted<R: World>() {
    const LOCALE: &str = "/usr/lib/locale/C.utf8";
    let mut options = Options::default();
    options.files = vec![(LOCALE.into(), FileSource::Directory(LOCALE.into()))];
    let mut library = start::<R>(&options);
    let at = text(&mut library, "zwölf Boxkämpfer €𝄞");
    let counted = call(&mut library, Shim::Characters, at, 0);
    assert_eq!(counted, 19, "{:?}", library.requests());
}

/// By a converter that the C library loads when it is asked for.
fn text_is_converted_to_utf16<R: World>() {
    const CONVERTERS: &str = "/usr/lib/x86_64-linux-gnu/gconv";
    let mut options = Options::default();
    let mut library = start::<R>(&options);
    let at = text(&mut library, "zwölf €𝄞");
    assert_eq!(call(&mut library, Shim::Convert, at, 0), 0, "no converter");
    options.plugin_directories = vec![CONVERTERS.into()];
    let mut library = start::<R>(&options);
    let at = text(&mut library, "zwölf €𝄞");
    let sum: u64 = "zwölf €𝄞".encode_utf16().map(u64::from).sum();
    assert_eq!(call(&mut library, Shim::Convert, at, 0), sum, "{:?}", library.requests());
}

fn zstd_does_without_threads_that_are_not_to_be_had<R: World>() {
    let mut library = start::<R>(&Options::default());
    assert_eq!(call(&mut library, Shim::Zstd, 8 << 20, 0), 3);
}

on_every_runtime! {
    sqlite_reads_a_database_from_a_file
    a_time_zone_is_read_from_its_file
    characters_of_utf8_are_counted
    text_is_converted_to_utf16
    zstd_does_without_threads_that_are_not_to_be_had
}

// The other C library has its converters in itself, and the distribution's archive of zstd starts no
// threads.
as_verified_code! {
    sqlite_reads_a_database_from_a_file
    a_time_zone_is_read_from_its_file
    characters_of_utf8_are_counted
}
