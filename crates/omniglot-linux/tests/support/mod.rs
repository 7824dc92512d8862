//! A small C library in the ABI of generated shims, compiled by the tests.
#![allow(dead_code, unreachable_pub, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use omniglot_core::{Description, Event, Result, Runtime, SANDBOXED, Session};
use omniglot_linux::{
    InterruptHandle, Linux, Options, Process, ProtectionKeys, Request, Sfi, Unprotected,
};
use omniglot_sfi::Rewriter;
use omniglot_sfi::layer::{BEST_FLAGS, Layer};

/// The shims of `images/sample.c`, in its order.
#[derive(Clone, Copy, Debug)]
pub enum Shim {
    Malloc,
    Free,
    Add,
    CallBack,
    Null,
    Overflow,
    Abort,
    Exit,
    QuickExit,
    Loop,
    Syscall,
    Guarded,
    Jump,
    Divide,
    Illegal,
    Trap,
    Exhaust,
    Address,
    Write,
    Work,
    Open,
    Fork,
    Time,
    Print,
    Random,
    JumpToNull,
    Execve,
    Disturb,
    Victim,
    JumpTo,
    Count,
    ThreadPointer,
    BaseInDisguise,
    PointerInDisguise,
    Flood,
    Pieces,
    BreakNames,
    CallBackForEver,
    Step,
    Luck,
    Wait,
    Cycles,
}

const SHIMS: u32 = Shim::Cycles as u32 + 1;
const FRAME: usize = 32;

/// Compiles a C file of `tests/images` as a shared object, with more flags.
pub fn compile(source: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().expect("a temporary directory").keep();
    let object = directory.join("library.so");
    let target = "x86_64-unknown-linux-gnu";
    let compiler = cc::Build::new()
        .target(target)
        .host(target)
        .opt_level(1)
        .cargo_metadata(false)
        .get_compiler();
    let done = Command::new(compiler.path())
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&object)
        .arg(root.join("tests/images").join(source))
        .args(flags)
        .status()
        .expect("a C compiler");
    assert!(done.success(), "{source} compiles");
    object
}

/// The libraries, where they were compiled ahead of time.
#[cfg(embedded_sample)]
const EMBEDDED: &[(&str, &[u8])] = &[
    ("sample.c", include_bytes!(concat!(env!("OUT_DIR"), "/sample.c.so"))),
    #[cfg(in_process)]
    ("real.c", include_bytes!(concat!(env!("OUT_DIR"), "/real.c.so"))),
    #[cfg(in_process)]
    ("world.c", include_bytes!(concat!(env!("OUT_DIR"), "/world.c.so"))),
    #[cfg(in_process)]
    ("born.c", include_bytes!(concat!(env!("OUT_DIR"), "/born.c.so"))),
    #[cfg(in_process)]
    ("extra.c", include_bytes!(concat!(env!("OUT_DIR"), "/extra.c.so"))),
];
#[cfg(not(embedded_sample))]
const EMBEDDED: &[(&str, &[u8])] = &[];

/// How often what must leave nothing behind is done. A guest's processor is a program: less often there.
pub const OFTEN: usize = if EMBEDDED.is_empty() { 1000 } else { 100 };

/// Names a compiled image of the sample library, where there may be no compiler.
pub const IMAGE: &str = "OMNIGLOT_TEST_IMAGE";

/// The bytes of a compiled image, for ever.
pub fn image(source: &str, flags: &[&str]) -> &'static [u8] {
    let defines = flags.iter().any(|flag| flag.starts_with("-D"));
    if let Some((_, bytes)) = EMBEDDED.iter().find(|(name, _)| *name == source && !defines) {
        return bytes;
    }
    if let Some(path) = std::env::var_os(IMAGE) {
        return std::fs::read(path).expect("the image that the variable names").leak();
    }
    let object = compile(source, flags);
    let bytes = std::fs::read(&object).expect("the compiled image");
    std::fs::remove_dir_all(object.parent().expect("its directory")).expect("removed");
    bytes.leak()
}

/// A compiled image with another one for regions behind it, for which there are archives of the
/// libraries.
pub fn image_of_both(source: &str, flags: &[&str], archives: &[&str]) -> &'static [u8] {
    let mut bytes = image(source, flags).to_vec();
    if cfg!(in_process) && EMBEDDED.is_empty() {
        let sandboxed = rewritten(source, archives);
        bytes.extend_from_slice(&sandboxed);
        bytes.extend_from_slice(&(sandboxed.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&SANDBOXED);
    }
    bytes.leak()
}

/// A C file of `tests/images` as an image for regions.
fn rewritten(source: &str, archives: &[&str]) -> Vec<u8> {
    const ARCHIVES: &str = "/usr/lib/x86_64-linux-gnu";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let object = directory.path().join("library.o");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(source);
    let compiler = || Command::new("cc");
    let mut compile = compiler();
    compile.args(BEST_FLAGS).args(["-O1", "-c", "-o"]).arg(&object).arg(path);
    assert!(compile.status().expect("a C compiler").success(), "{source} compiles");
    let mut rewriter = Rewriter::new();
    let object = std::fs::read(&object).expect("the object");
    rewriter.add_layer(Layer::Musl, directory.path(), &compiler).expect("the layer");
    rewriter.object(source, &object).expect("an object");
    for archive in archives {
        rewriter.archive_file(&Path::new(ARCHIVES).join(archive)).expect("an archive");
    }
    rewriter.add_libraries(Layer::Musl, &compiler).expect("the C library");
    rewriter.trap_unsupported();
    rewriter.rewrite().unwrap_or_else(|error| panic!("{error}")).bytes
}

/// A compiled file by itself in a directory.
pub fn library(source: &str) -> PathBuf {
    let directory = tempfile::tempdir().expect("a temporary directory").keep();
    let path = directory.join("library.so");
    std::fs::write(&path, image(source, &[])).expect("written");
    path
}

/// A description of the sample library, built with flags.
pub fn sample_with(flags: &[&str]) -> Description {
    Description {
        name: "sample",
        image: image("sample.c", flags),
        shims: SHIMS,
        slots: 2,
        functions: &["malloc", "free", "not_there"],
    }
}

/// The sample library.
pub fn sample() -> Description {
    static SAMPLE: OnceLock<Description> = OnceLock::new();
    *SAMPLE.get_or_init(|| sample_with(&[]))
}

/// A runtime that tests drive without the core's instances.
pub trait Driven: Runtime<InterruptHandle = InterruptHandle> {
    /// Loads a library.
    fn load(description: &Description, options: &Options) -> Result<Self>;
}

/// A runtime whose foreign code has a system-call server in its domain.
pub trait World: Driven + std::fmt::Debug {
    /// Whether foreign code runs in this process.
    const IS_HERE: bool;
    /// What the library asked for and did not get.
    fn requests(&self) -> Result<Vec<Request>>;
    /// What it wrote.
    fn output(&self) -> Result<String>;
    /// The process that it runs in.
    fn process(&self) -> u32;
    /// Where the control area is, which the server shares with the host.
    fn control(&self) -> usize {
        self.window().start()
    }
}

impl World for Process {
    const IS_HERE: bool = false;

    fn requests(&self) -> Result<Vec<Request>> {
        Self::requests(self)
    }

    fn output(&self) -> Result<String> {
        Self::output(self)
    }

    fn process(&self) -> u32 {
        self.process_id()
    }
}

/// The two runtimes in this process have the same.
macro_rules! world_here {
    ($name:ident $($more:tt)*) => {
        impl World for $name {
            $($more)*

            const IS_HERE: bool = true;

            fn requests(&self) -> Result<Vec<Request>> {
                Self::requests(self)
            }

            fn output(&self) -> Result<String> {
                Self::output(self)
            }

            fn process(&self) -> u32 {
                std::process::id()
            }
        }
    };
}

world_here!(Unprotected);
world_here!(ProtectionKeys);
world_here!(Sfi
    fn control(&self) -> usize {
        self.exchange().0 - 0x10000
    }
);

impl Driven for Sfi {
    fn load(description: &Description, options: &Options) -> Result<Self> {
        Self::start(description, options)
    }
}

impl Driven for Linux {
    fn load(description: &Description, options: &Options) -> Result<Self> {
        Self::start(description, options)
    }
}

impl Driven for Process {
    fn load(description: &Description, options: &Options) -> Result<Self> {
        Self::start(description, options)
    }
}

impl Driven for Unprotected {
    #[allow(unsafe_code)]
    fn load(description: &Description, options: &Options) -> Result<Self> {
        // SAFETY: the sample library writes no memory of the host's but where a test wants
        // it to fault.
        unsafe { Self::start(description, options) }
    }
}

impl Driven for ProtectionKeys {
    fn load(description: &Description, options: &Options) -> Result<Self> {
        Self::start(description, options)
    }
}

/// Whether domains behind keys can be had; says so if not.
pub fn has_keys() -> bool {
    match ProtectionKeys::check() {
        Ok(()) => true,
        Err(error) => {
            eprintln!("NOT TESTED here: protection keys ({error})");
            false
        }
    }
}

/// Whether verified code can be run; says so if not.
pub fn has_regions() -> bool {
    match Sfi::check() {
        // A guest has no compiler, and no archives.
        Ok(()) => EMBEDDED.is_empty(),
        Err(error) => {
            eprintln!("NOT TESTED here: verified code ({error})");
            false
        }
    }
}

/// Makes a test of each generic function as verified code.
#[macro_export]
macro_rules! as_verified_code {
    ($($name:ident)*) => {
        mod sfi {
            $(#[test] fn $name() {
                if super::support::has_regions() {
                    super::$name::<omniglot_linux::Sfi>();
                }
            })*
        }
    };
}

/// Makes a test of each generic function, for each runtime.
#[macro_export]
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        mod process {
            $(#[test] fn $name() { super::$name::<omniglot_linux::Process>(); })*
        }
        in_this_process! { $($name)* }
    };
}

/// The same, for the runtimes that run foreign code in this process.
#[macro_export]
macro_rules! in_this_process {
    ($($name:ident)*) => {
        mod unprotected {
            $(#[test] fn $name() { super::$name::<omniglot_linux::Unprotected>(); })*
        }
        mod keys {
            $(#[test] fn $name() {
                if super::support::has_keys() {
                    super::$name::<omniglot_linux::ProtectionKeys>();
                }
            })*
        }
    };
}

/// An instance of the sample library.
pub fn start<R: Driven>() -> Session<R> {
    start_with(&Options::default())
}

/// An instance with options.
pub fn start_with<R: Driven>(options: &Options) -> Session<R> {
    let mut options = options.clone();
    // A virtual machine may be a hundred times slower than this one.
    options.start_timeout = Duration::from_secs(300);
    Session::new(R::load(&sample(), &options).expect("the sample library loads"))
}

/// The address of a shim.
pub fn shim<R: Driven>(linux: &Session<R>, shim: Shim) -> usize {
    linux.shim(shim as u32).expect("a shim")
}

/// Writes the frame at a depth of nesting and says where it is.
pub fn write_frame<R: Driven>(linux: &mut Session<R>, depth: usize, a: u64, b: u64) -> usize {
    let address = linux.exchange().0 + 64 * depth;
    let mut bytes = [0; FRAME];
    bytes[8..16].copy_from_slice(&a.to_ne_bytes());
    bytes[16..24].copy_from_slice(&b.to_ne_bytes());
    linux.write(address, &bytes).expect("the exchange area is in the window");
    address
}

/// Reads eight foreign bytes.
pub fn read_word<R: Driven>(linux: &Session<R>, address: usize) -> u64 {
    let mut bytes = [0; 8];
    linux.window().read(address, &mut bytes).expect("in the window");
    u64::from_ne_bytes(bytes)
}

/// Writes eight foreign bytes.
pub fn write_word<R: Driven>(linux: &mut Session<R>, address: usize, value: u64) {
    linux.write(address, &value.to_ne_bytes()).expect("in the window");
}

/// The result of the frame at a depth of nesting.
pub fn result<R: Driven>(linux: &Session<R>, depth: usize) -> u64 {
    read_word(linux, linux.exchange().0 + 64 * depth + 24)
}

/// The status of the frame at a depth of nesting.
pub fn status<R: Driven>(linux: &Session<R>, depth: usize) -> u32 {
    read_word(linux, linux.exchange().0 + 64 * depth) as u32
}

/// Starts a call.
pub fn enter<R: Driven>(
    linux: &mut Session<R>,
    which: Shim,
    depth: usize,
    a: u64,
    b: u64,
) -> Result<Event> {
    let frame = write_frame(linux, depth, a, b);
    let entry = shim(linux, which);
    linux.enter(entry, frame)
}

/// A call without callbacks, and its result.
pub fn call<R: Driven>(linux: &mut Session<R>, which: Shim, a: u64, b: u64) -> Result<u64> {
    match enter(linux, which, 0, a, b)? {
        Event::Returned => Ok(result(linux, 0)),
        callback => panic!("no callback was expected, but {callback:?}"),
    }
}

/// What a library might learn in one life and use in the next, as [`Shim::Luck`] tells it.
pub const LUCK: [&str; 7] = [
    "the stack protector's canary",
    "the pointer guard",
    "the kernel's random bytes",
    "the seed of a generator",
    "where the heap is",
    "where the stack is",
    "where its variables are",
];

/// How many of them are at the front that are random numbers rather than addresses.
pub const RANDOM: usize = 4;

/// All of it, of an instance's life.
pub fn luck<R: Driven>(runtime: &mut Session<R>) -> [u64; LUCK.len()] {
    std::array::from_fn(|kind| call(runtime, Shim::Luck, kind as u64, 0).expect("a call"))
}

/// What two lives have in common.
pub fn in_common(one: [u64; LUCK.len()], other: [u64; LUCK.len()]) -> Vec<&'static str> {
    let pairs = one.into_iter().zip(other).zip(LUCK);
    pairs.filter_map(|((one, other), name)| (one == other).then_some(name)).collect()
}
