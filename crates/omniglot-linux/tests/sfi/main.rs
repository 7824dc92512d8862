//! Verified code in the host's process: calls, callbacks, ends of all kinds, attacks, resets, on a
//! library that is written in the form that a rewriter gives to others.
#![cfg(in_process)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, unsafe_code)]

mod attacks;
mod calls;
mod ends;
mod layouts;
mod lives;
mod output;
mod signals;
mod steps;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use omniglot_core::{Description, Event, Result, Runtime, SANDBOXED, Session};
use omniglot_linux::{Options, Sfi};

/// The shims of `sample.S`, in its order.
#[derive(Clone, Copy, Debug)]
enum Shim {
    Add,
    CallBack,
    Load,
    Store,
    Loop,
    PushForever,
    StepForever,
    SystemCall,
    GiveUp,
    Registers,
    Disturb,
    Jump,
    SetStack,
    Count,
    Divide,
    Illegal,
    LeaveOuter,
    StackPointer,
    Work,
    Base,
    CallBackForever,
    AskInConstants,
    AskForever,
    OtherStack,
    SetFlag,
    FloatState,
}

const SHIMS: u32 = Shim::FloatState as u32 + 1;
const FRAME: usize = 96;

/// A file beside this one.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sfi").join(name)
}

/// The image of a source in the assembler's language, for ever.
fn image_of(source: &Path) -> &'static [u8] {
    image_with(source, &beside("image.ld"))
}

/// The same, laid out as a linker script says.
fn image_with(source: &Path, script: &Path) -> &'static [u8] {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let image = directory.path().join("image");
    let target = "x86_64-unknown-linux-gnu";
    let compiler = cc::Build::new()
        .target(target)
        .host(target)
        .opt_level(0)
        .cargo_metadata(false)
        .get_compiler();
    let done = Command::new(compiler.path())
        // Lines are filled with the shortest no-operations: the verifier knows others than the
        // assembler.
        .args([
            "-Wa,-n",
            "-static",
            "-nostdlib",
            "-no-pie",
            "-Wl,--build-id=none,-z,max-page-size=4096",
        ])
        .arg(format!("-Wl,-T,{}", script.display()))
        .arg("-o")
        .arg(&image)
        .arg(source)
        .status()
        .expect("a C compiler");
    assert!(done.success(), "{} is assembled", source.display());
    let image = std::fs::read(&image).expect("the image");
    sandboxed(image)
}

/// As what a library is described by, without a shared object.
fn sandboxed(mut image: Vec<u8>) -> &'static [u8] {
    image.extend((image.len() as u64).to_le_bytes());
    image.extend(SANDBOXED);
    image.leak()
}

fn sample() -> Description {
    static IMAGE: OnceLock<&[u8]> = OnceLock::new();
    let image = IMAGE.get_or_init(|| image_of(&beside("sample.S")));
    described(image)
}

const fn described(image: &'static [u8]) -> Description {
    Description { name: "sample", image, shims: SHIMS, slots: 1, functions: &[] }
}

fn options() -> Options {
    let mut options = Options::default();
    // A virtual machine may be a hundred times slower than this one.
    options.start_timeout = Duration::from_secs(300);
    options
}

fn start() -> Session<Sfi> {
    start_with(&options())
}

fn start_with(options: &Options) -> Session<Sfi> {
    Session::new(Sfi::start(&sample(), options).expect("the sample library is mapped"))
}

/// Whether it is so in a forked child.
fn in_child(holds: impl FnOnce() -> bool) -> bool {
    let _made = sample();
    // SAFETY: the child makes instances of its own, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child where it hangs.
        unsafe { libc::alarm(60) };
        let outcome = catch_unwind(AssertUnwindSafe(holds));
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!outcome.unwrap_or(false))) };
    }
    let mut status = -1;
    // SAFETY: waits for the child, and writes to `status`.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status == 0
}

/// The frame at a depth of nesting.
fn frame_at(session: &Session<Sfi>, depth: usize) -> usize {
    session.exchange().0 + 128 * depth
}

fn word(session: &Session<Sfi>, address: usize) -> u64 {
    let mut bytes = [0; 8];
    session.window().read(address, &mut bytes).expect("in the window");
    u64::from_ne_bytes(bytes)
}

fn put(session: &mut Session<Sfi>, address: usize, words: &[u64]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    session.write(address, &bytes).expect("in the window");
}

fn result(session: &Session<Sfi>, depth: usize) -> u64 {
    word(session, frame_at(session, depth) + 24)
}

/// Starts a call.
fn enter(session: &mut Session<Sfi>, shim: Shim, depth: usize, a: u64, b: u64) -> Result<Event> {
    let frame = frame_at(session, depth);
    session.write(frame, &[0; FRAME]).expect("in the window");
    put(session, frame + 8, &[a, b]);
    let entry = session.shim(shim as u32).expect("a shim");
    session.enter(entry, frame)
}

/// A call without callbacks, and its result.
fn call(session: &mut Session<Sfi>, shim: Shim, a: u64, b: u64) -> Result<u64> {
    match enter(session, shim, 0, a, b)? {
        Event::Returned => Ok(result(session, 0)),
        callback => panic!("no callback was expected, but {callback:?}"),
    }
}
