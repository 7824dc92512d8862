//! Runs the demo's program as a user does.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use omniglot_demo::{Picture, damage, samples};
use tempfile::TempDir;

/// The output and status of a run.
struct Run {
    status: Option<i32>,
    lines: Vec<String>,
    errors: String,
}

impl Run {
    fn new(arguments: &[&Path]) -> Self {
        let Output { status, stdout, stderr } =
            Command::new(env!("CARGO_BIN_EXE_omniglot-demo")).args(arguments).output().unwrap();
        let stdout = String::from_utf8(stdout).unwrap();
        let lines = stdout.lines().map(|line| line.trim().to_owned()).collect();
        Self { status: status.code(), lines, errors: String::from_utf8(stderr).unwrap() }
    }

    /// Asserts that some line starts with `start` and continues with `rest`.
    fn says(&self, start: &str, rest: &str) {
        let found = self.lines.iter().any(|line| line.starts_with(start) && line.contains(rest));
        assert!(found, "no line {start:?} … {rest:?} in\n{}", self.lines.join("\n"));
    }

    fn succeeds(&self) {
        let failed = self.lines.iter().any(|line| line.starts_with("FAILED"));
        assert!(self.status == Some(0) && !failed, "{}\n{}", self.lines.join("\n"), self.errors);
        self.says("All ", "expectations were met.");
        assert_eq!(self.errors, "");
    }

    /// Asserts that there is one line of error, which starts and ends like this.
    fn fails(&self, start: &str, end: &str) {
        assert_eq!(self.status, Some(1));
        let line = self.errors.trim_end();
        let start = format!("error: {start}");
        assert!(line.starts_with(&start) && line.ends_with(end), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

fn sample(name: &str) -> PathBuf {
    let suite = samples::png_suite().unwrap();
    suite.into_iter().find(|sample| sample.name.ends_with(name)).unwrap().path
}

fn same_pixels(file: &Path, other: &Path) {
    let picture = |path| Picture::reference(&fs::read(path).unwrap()).unwrap();
    assert_eq!(picture(file), picture(other), "{} and {}", file.display(), other.display());
}

#[test]
fn the_default_picture_goes_through_all_parts() {
    let run = Run::new(&[]);
    run.succeeds();
    article_lines(&run);
    libpng_lines(&run);
    hostile_lines(&run);
}

fn article_lines(run: &Run) {
    run.says("- PrintResult as in listing 2 has 24 bytes", "Async's fields fill 20");
    run.says("- With a u32 between, it has 24 bytes", "Async's fields fill 24");
    run.says("The child ", "");
    let refused = "is no value of async_res_t; valid: 0, 1, 2";
    run.says("ok      print() with async_print()", refused);
    run.says("ok      print() with a function that returns 3", &format!("value: 3 {refused}"));
    run.says("ok      print() with a function that keeps its contract", "Async(SUCCESS, 7, ");
}

fn libpng_lines(run: &Run) {
    run.says("libpng     1.6.", "");
    run.says("picture    crate basis-universal-sys 0.3.1, vendor/", "preview.png");
    let digest = "6e50b9b428919e7dbcc1fe59e4aebce5dcc250887bf707531e43678b9e4fc0fb";
    run.says("SHA-256    ", digest);
    run.says("decoded    1500 x 939 pixels (1.4 megapixels)", "");
    run.says("ok      the same pixels as the Rust crate png", "0 of 5634000 bytes differ");
    run.says("ok      the picture, written as PNG and read again", "omniglot-demo.png");
    run.says("start-up   ", "");
    run.says("time       native ", "interleaved runs)");
    run.says("ratio      ", " x native, ");
    broken_lines(run);
}

fn broken_lines(run: &Run) {
    run.says("ok      a copy with a wrong checksum", "libpng says: IDAT: CRC error");
    run.says("ok      a copy with changed image data", "libpng says: ");
    run.says("ok      a copy that is cut short", "libpng says: the file ends too early");
    run.says("ok      the good file after these, same instance", "decoded");
}

fn hostile_lines(run: &Run) {
    for place in ["stack", "heap", "static data"] {
        run.says(&format!("ok      writes to the host's {place}"), "forbidden memory access");
        run.says(&format!("ok      reads the host's {place}"), "forbidden memory access");
        let pointer = format!("ok      returns a pointer to the host's {place}");
        run.says(&pointer, "not in the foreign library's memory; the instance goes on");
    }
    run.says("ok      returns a string without an end", "no NUL within 64 bytes");
    run.says("ok      returns a bool that holds 2", "2 is no value of bool; valid: 0, 1");
    run.says("ok      writes through a null pointer", "forbidden memory access at 0x0");
    run.says("ok      recurses without end", "stack overflow");
    run.says("ok      loops without end", "longer than 200ms; the instance is given up");
    run.says("ok      aborts", "abort");
    run.says("ok      exits with status 7", "status 7");
    run.says("ok      opens /etc/passwd", "denied system call: openat");
    run.says("ok      forks and executes a shell", "denied system call: ");
    run.says("ok      connects to a port", "denied system call: socket");
    run.says("ok      the host's canaries", "unchanged");
    run.says("ok      connections that reached the host", "0");
    run.says("ok      the PNG of part 2 in a fresh instance", "decoded");
}

#[test]
fn a_users_picture_of_any_kind_is_decoded_and_written() {
    let directory = TempDir::new().unwrap();
    for name in ["basn0g01.png", "basn2c16.png", "basn3p04.png", "ibasn6a08.png"] {
        let (file, out) = (sample(name), directory.path().join(name));
        let run = Run::new(&[&file, &out]);
        run.succeeds();
        run.says("picture    ", name);
        run.says("decoded    32 x 32 pixels", "");
        run.says("ok      the same pixels as the Rust crate png", "0 of 4096 bytes differ");
        run.says("ok      the picture, written as PNG and read again", name);
        broken_lines(&run);
        same_pixels(&file, &out);
    }
}

#[test]
fn a_broken_picture_is_one_clear_error() {
    let directory = TempDir::new().unwrap();
    let good = fs::read(sample("basn6a16.png")).unwrap();
    let (file, out) = (directory.path().join("broken.png"), directory.path().join("out.png"));
    for (broken, message) in [
        (damage::with_wrong_checksum(&good), "libpng says: IDAT: CRC error"),
        (damage::cut_short(&good), "libpng says: the file ends too early"),
    ] {
        fs::write(&file, broken.unwrap()).unwrap();
        let run = Run::new(&[&file, &out]);
        let start = format!("cannot decode {}: {message}", file.display());
        run.fails(&start, "; name a PNG file that is whole");
        assert!(!out.exists(), "an empty file was left");
    }
}

#[test]
fn bad_arguments_are_one_clear_error() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("text.png");
    fs::write(&text, "not a picture").unwrap();
    let good = sample("basn0g01.png");
    let nowhere = directory.path().join("nowhere/out.png");
    let error = |arguments: &[&Path], start: &str, end: &str| {
        let run = Run::new(arguments);
        run.fails(start, end);
        assert!(run.lines.is_empty(), "nothing is done before arguments are right");
    };
    error(&[Path::new("missing.png")], "cannot read missing.png; name a PNG file", "(os error 2)");
    error(&[&text], "", "is no PNG file; name one that is");
    error(&[directory.path()], "", "is no regular file; name a PNG file");
    error(&[&good, &nowhere], "cannot write ", "(os error 2)");
    error(&[&good, directory.path()], "cannot write ", "(os error 21)");
    error(&[&good, &good], "", "is the picture to decode; name another file to write to");
    error(&[Path::new("--fast")], "there is no option --fast", "see --help");
    error(&[&good, &text, &text], "3 arguments are too many", "where to write");
    assert_eq!(fs::read(&text).unwrap(), b"not a picture");
}

#[test]
fn help_says_how_to_call_it() {
    let run = Run::new(&[Path::new("--help")]);
    assert_eq!((run.status, run.errors.as_str()), (Some(0), ""));
    run.says("Usage: cargo xtask demo [FILE.png [OUT.png]]", "");
}
