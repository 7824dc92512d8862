//! The domain's system-call server against the kernel: random sequences of the same calls, made by
//! a library in a worker or in this process, where the server answers, and by the test itself,
//! where the kernel does.
//!
//! Addresses and descriptors differ, so each is known by its place in a list. What differs on
//! purpose (docs/world.md) is not asked: protections that would have to be enforced, times, who and where.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use omniglot_core::{Description, Event, Session};
use omniglot_fuzz::{Random, fuzz};
use omniglot_linux::{FileSource, Options};
use support::{World, image_of_both, read_word, write_frame};
use syscalls::Sysno;

const PAGE: usize = 4096;
/// The buffer that calls read and write, on either side.
const BUFFER: usize = 8192;
/// The calls of a sequence.
const STEPS: usize = 25;

fn description() -> Description {
    static WORLD: OnceLock<Description> = OnceLock::new();
    *WORLD.get_or_init(|| Description {
        name: "world",
        image: image_of_both("world.c", &[], &[]),
        shims: 20,
        slots: 0,
        functions: &["malloc", "free"],
    })
}

/// The same thing on both sides.
#[derive(Clone, Copy, Debug)]
struct Both {
    kernel: u64,
    server: u64,
}

const fn both(value: u64) -> Both {
    Both { kernel: value, server: value }
}

/// Mapped pages, all readable and writable.
#[derive(Clone, Copy, Debug)]
struct Pages {
    start: Both,
    len: usize,
    /// Whether they were mapped at once. The kernel moves no others: it may keep them as several
    /// mappings.
    whole: bool,
}

impl Pages {
    const fn part(self, from: usize, len: usize) -> Self {
        let start = Both {
            kernel: self.start.kernel + from as u64,
            server: self.start.server + from as u64,
        };
        Self { start, len, whole: self.whole }
    }
}

/// What must be equal.
#[derive(Clone, Copy, Debug)]
enum Compare {
    /// The results.
    Results,
    /// The errors, or that there is none.
    Errors,
    /// The results, and so many bytes of the buffer.
    Bytes(usize),
}

/// Both sides, and what they have at the moment.
struct Sides<R: World> {
    library: Session<R>,
    buffer: Box<[u8; BUFFER]>,
    pages: Vec<Pages>,
    files: Vec<Both>,
    paths: Vec<PathBuf>,
    /// A directory in /tmp, where files can be made.
    scratch: PathBuf,
    said: Vec<String>,
}

impl<R: World> Sides<R> {
    fn new(directory: &std::path::Path, scratch: &std::path::Path) -> Self {
        let mut options = Options::default();
        options.tmp = 64 << 20;
        options.start_timeout = Duration::from_secs(300);
        options.files = vec![(directory.into(), FileSource::Directory(directory.into()))];
        let library = R::load(&description(), &options).expect("the library loads");
        let paths = [
            "small",
            "large",
            "empty",
            "inner",
            "inner/file",
            "none",
            "small/none",
            "./inner/../small",
            "inner/",
        ]
        .map(|name| directory.join(name));
        Self {
            library: Session::new(library),
            buffer: Box::new([0; BUFFER]),
            pages: Vec::new(),
            files: Vec::new(),
            paths: paths.to_vec(),
            scratch: scratch.to_path_buf(),
            said: Vec::new(),
        }
    }

    fn words(&self) -> usize {
        self.library.exchange().0 + 4096
    }

    fn at(&self, offset: usize) -> Both {
        Both {
            kernel: self.buffer.as_ptr() as u64 + offset as u64,
            server: (self.words() + 4096 + offset) as u64,
        }
    }

    /// Writes to the buffers.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.buffer[offset..offset + bytes.len()].copy_from_slice(bytes);
        let place = self.at(offset).server as usize;
        self.library.write(place, bytes).expect("there is room");
    }

    fn server(&mut self, call: Sysno, arguments: &[Both]) -> i64 {
        let mut bytes = (call as u64).to_ne_bytes().to_vec();
        for index in 0..7 {
            bytes.extend(arguments.get(index).map_or(0, |both| both.server).to_ne_bytes());
        }
        let at = self.words();
        self.library.write(at, &bytes).expect("there is room");
        let frame = write_frame(&mut self.library, 0, at as u64, 1);
        let entry = self.library.shim(2).expect("a shim");
        let outcome = self.library.enter(entry, frame);
        assert_eq!(outcome, Ok(Event::Returned), "{call} {arguments:?} after {:#?}", self.said);
        read_word(&self.library, at + 56).cast_signed()
    }

    /// Makes a call on both sides, compares, and gives the results.
    fn ask(&mut self, call: Sysno, arguments: &[Both], compare: Compare) -> (i64, i64) {
        let server = self.server(call, arguments);
        let kernel = kernel(call, arguments);
        self.said.push(format!("{call} {arguments:x?}: kernel {kernel}, server {server}"));
        let is_error = |result: i64| (-4095..0).contains(&result);
        let good = match compare {
            Compare::Errors if !is_error(kernel) => !is_error(server),
            _ => kernel == server,
        };
        assert!(good, "they differ: {:#?}", self.said);
        if let Compare::Bytes(len) = compare {
            let mut seen = vec![0; len];
            self.library
                .window()
                .read(self.at(0).server as usize, &mut seen)
                .expect("in the window");
            assert_eq!(seen, self.buffer[..len], "the buffers differ: {:#?}", self.said);
        }
        (kernel, server)
    }

    fn check_pages(&mut self, pages: Pages) {
        let mut seen = vec![0; pages.len];
        self.library.window().read(pages.start.server as usize, &mut seen).expect("in the window");
        // SAFETY: mapped by `map` and not unmapped since; nobody else knows of these pages.
        let own = unsafe {
            std::slice::from_raw_parts(
                std::ptr::with_exposed_provenance(pages.start.kernel as usize),
                pages.len,
            )
        };
        assert!(seen == own, "what is in {pages:x?} differs: {:#?}", self.said);
    }

    fn fill_pages(&mut self, pages: Pages, byte: u8) {
        let bytes = vec![byte; pages.len];
        self.library.write(pages.start.server as usize, &bytes).expect("in the window");
        // SAFETY: as in `check_pages`; mapped to be written.
        unsafe {
            let start: *mut u8 = std::ptr::with_exposed_provenance_mut(pages.start.kernel as usize);
            start.write_bytes(byte, pages.len);
        }
    }
}

/// Makes a call for real.
fn kernel(call: Sysno, arguments: &[Both]) -> i64 {
    let word = |index: usize| arguments.get(index).map_or(0, |both| both.kernel);
    // SAFETY: addresses are those of the buffer, of pages that `Sides` mapped, or none at all;
    // nothing else of the process is changed but what `step` puts back.
    let result =
        unsafe { libc::syscall(call as i64, word(0), word(1), word(2), word(3), word(4), word(5)) };
    if result == -1 {
        let error = std::io::Error::last_os_error().raw_os_error().expect("an error number");
        return -i64::from(error);
    }
    result
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.index(of.len())]
}

const ACCESS: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
const NONE: Both = both(u64::MAX);

/// Maps pages, or tries with arguments that may be wrong.
fn map<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let len = pick(random, &[0, 1, PAGE, PAGE + 1, 3 * PAGE, 16 * PAGE, 300 * PAGE]);
    let offset = pick(random, &[0, 0, 0, 1, PAGE as u64]);
    let kind = pick(random, &[PRIVATE, PRIVATE, PRIVATE, libc::MAP_ANONYMOUS as u64]);
    let arguments = [both(0), both(len as u64), both(ACCESS), both(kind), NONE, both(offset)];
    let (kernel, server) = sides.ask(Sysno::mmap, &arguments, Compare::Errors);
    keep(sides, kernel, server, len);
}

fn keep<R: World>(sides: &mut Sides<R>, kernel: i64, server: i64, len: usize) {
    if kernel > 0 {
        let start = Both { kernel: kernel.cast_unsigned(), server: server.cast_unsigned() };
        let pages = Pages { start, len: len.next_multiple_of(PAGE), whole: true };
        sides.check_pages(pages);
        sides.pages.push(pages);
    }
}

fn on_pages<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let Some(last) = sides.pages.len().checked_sub(1) else {
        return map(sides, random);
    };
    let index = random.index(last + 1);
    let pages = sides.pages[index];
    let from = random.index(pages.len / PAGE) * PAGE;
    let len = (1 + random.index((pages.len - from) / PAGE)) * PAGE;
    let part = pages.part(from, len);
    let crooked = |both: Both| Both { kernel: both.kernel + 8, server: both.server + 8 };
    match random.index(9) {
        0 | 1 => unmap(sides, index, from, len),
        2 => {
            let start = pick(random, &[part.start, crooked(part.start)]);
            let len = pick(random, &[both(0), both(part.len as u64)]);
            sides.ask(Sysno::mprotect, &[start, len, both(ACCESS)], Compare::Results);
        }
        3 | 4 => {
            // Not what has the kernel split a mapping in two, across which it moves none.
            let advice = pick(random, &[0, 3, 4, 4, 4, -1, 5, 7, 99]);
            let start = pick(random, &[part.start, part.start, crooked(part.start)]);
            let arguments = [start, both(part.len as u64), both(advice as u64)];
            sides.ask(Sysno::madvise, &arguments, Compare::Results);
            sides.check_pages(pages);
        }
        5 | 6 => remap(sides, random, index),
        7 => {
            // In the place of what is there.
            sides.pages[index].whole = false;
            let fixed = both(PRIVATE | libc::MAP_FIXED as u64);
            let arguments = [part.start, both(part.len as u64), both(ACCESS), fixed, NONE, both(0)];
            sides.ask(Sysno::mmap, &arguments, Compare::Errors);
            sides.check_pages(pages);
            let not_there = both(PRIVATE | libc::MAP_FIXED_NOREPLACE as u64);
            let arguments =
                [part.start, both(part.len as u64), both(ACCESS), not_there, NONE, both(0)];
            sides.ask(Sysno::mmap, &arguments, Compare::Errors);
        }
        _ => {
            sides.fill_pages(part, random.index(256) as u8);
            sides.check_pages(pages);
            let sync =
                pick(random, &[libc::MS_SYNC, libc::MS_ASYNC, libc::MS_SYNC | libc::MS_ASYNC, 8]);
            let arguments = [part.start, both(part.len as u64), both(sync as u64)];
            sides.ask(Sysno::msync, &arguments, Compare::Results);
        }
    }
}

/// What is left of the pages are two pieces, one piece, or none.
fn unmap<R: World>(sides: &mut Sides<R>, index: usize, from: usize, len: usize) {
    let pages = sides.pages.swap_remove(index);
    let part = pages.part(from, len);
    sides.ask(Sysno::munmap, &[part.start, both(part.len as u64 - 7)], Compare::Results);
    if from > 0 {
        sides.pages.push(pages.part(0, from));
    }
    if from + len < pages.len {
        sides.pages.push(pages.part(from + len, pages.len - from - len));
    }
}

fn remap<R: World>(sides: &mut Sides<R>, random: &mut Random, index: usize) {
    let pages = sides.pages[index];
    if !pages.whole {
        return;
    }
    let new = pick(random, &[0, 1, PAGE, 5 * PAGE + 1, 40 * PAGE, 200 * PAGE]);
    let flags = pick(random, &[libc::MREMAP_MAYMOVE, libc::MREMAP_MAYMOVE, libc::MREMAP_FIXED, 8]);
    let arguments = [pages.start, both(pages.len as u64), both(new as u64), both(flags as u64)];
    let (kernel, server) = sides.ask(Sysno::mremap, &arguments, Compare::Errors);
    if kernel > 0 {
        sides.pages.swap_remove(index);
        keep(sides, kernel, server, new);
    }
}

fn open<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let path = sides.paths[random.index(sides.paths.len())].clone();
    let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    sides.said.push(format!("with {path:?}"));
    sides.put(BUFFER / 2, path.as_bytes_with_nul());
    let flags = pick(random, &[0, 0, 0, libc::O_CLOEXEC, libc::O_DIRECTORY, libc::O_PATH]);
    let name = sides.at(BUFFER / 2);
    let arguments = [both(libc::AT_FDCWD as u64), name, both(flags as u64), both(0)];
    let (kernel, server) = sides.ask(Sysno::openat, &arguments, Compare::Errors);
    if kernel >= 0 {
        sides.files.push(Both { kernel: kernel.cast_unsigned(), server: server.cast_unsigned() });
    }
}

/// Names of files and directories that are made and removed.
const NAMES: [&str; 6] = ["a", "b", "d", "d/x", "d/y", "d/e"];

/// Writes a name of one of those where the calls find it, and says where.
fn put_name<R: World>(sides: &mut Sides<R>, random: &mut Random, offset: usize) -> Both {
    let path = sides.scratch.join(pick(random, &NAMES));
    put_path(sides, &path, offset)
}

fn put_path<R: World>(sides: &mut Sides<R>, path: &std::path::Path, offset: usize) -> Both {
    let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    sides.said.push(format!("with {path:?}"));
    sides.put(offset, path.as_bytes_with_nul());
    sides.at(offset)
}

/// Files that are made, written, renamed and removed.
fn on_scratch<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let name = put_name(sides, random, BUFFER / 2);
    let len = both(pick(random, &[0, 1, 100, 5000, 70_000, u64::MAX]));
    match random.index(8) {
        0..=2 => {
            let makes = libc::O_RDWR | libc::O_CREAT;
            let flags = [
                makes,
                makes,
                makes | libc::O_EXCL,
                makes | libc::O_TRUNC,
                makes | libc::O_APPEND,
                libc::O_WRONLY | libc::O_TRUNC,
                libc::O_RDONLY,
                libc::O_DIRECTORY,
            ];
            let flags = both(pick(random, &flags) as u64);
            let arguments = [both(libc::AT_FDCWD as u64), name, flags, both(0o600)];
            let (kernel, server) = sides.ask(Sysno::openat, &arguments, Compare::Errors);
            if kernel >= 0 {
                let (kernel, server) = (kernel.cast_unsigned(), server.cast_unsigned());
                sides.files.push(Both { kernel, server });
            }
        }
        3 => drop(sides.ask(Sysno::mkdir, &[name, both(0o700)], Compare::Results)),
        4 => drop(sides.ask(Sysno::unlink, &[name], Compare::Results)),
        5 => drop(sides.ask(Sysno::rmdir, &[name], Compare::Results)),
        6 => {
            let other = put_name(sides, random, BUFFER / 2 + 1024);
            if random.index(2) == 0 {
                sides.ask(Sysno::rename, &[name, other], Compare::Results);
            } else {
                let here = both(libc::AT_FDCWD as u64);
                let flags = both(pick(random, &[0, 1, 1 << 20]));
                let arguments = [here, name, here, other, flags];
                sides.ask(Sysno::renameat2, &arguments, Compare::Results);
            }
        }
        _ => drop(sides.ask(Sysno::truncate, &[name, len], Compare::Results)),
    }
}

/// Writing to whatever is open.
fn write<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let Some(last) = sides.files.len().checked_sub(1) else {
        return on_scratch(sides, random);
    };
    let file = sides.files[random.index(last + 1)];
    let bytes: Vec<u8> = (0..4096).map(|_| random.byte()).collect();
    sides.put(0, &bytes);
    // From memory that is there: some file systems make a file longer before they look.
    let from = sides.at(0);
    let size = both(pick(random, &[1, 10, 500, 4096]));
    match random.index(3) {
        0 => drop(sides.ask(Sysno::write, &[file, from, size], Compare::Results)),
        1 => {
            let offset = both(pick(random, &[0, 5, 1000, 60_000, u64::MAX]));
            sides.ask(Sysno::pwrite64, &[file, from, size, offset], Compare::Results);
        }
        _ => {
            let size = both(pick(random, &[0, 7, 3000, 40_000, u64::MAX]));
            sides.ask(Sysno::ftruncate, &[file, size], Compare::Results);
        }
    }
}

fn on_path<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let path = sides.paths[random.index(sides.paths.len())].clone();
    let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    sides.said.push(format!("with {path:?}"));
    sides.put(BUFFER / 2, path.as_bytes_with_nul());
    let name = pick(random, &[sides.at(BUFFER / 2), sides.at(BUFFER / 2), both(0), both(8)]);
    let room = sides.at(0);
    match random.index(5) {
        0 => drop(sides.ask(
            Sysno::access,
            &[name, both(pick(random, &[0, 4, 8, 64]))],
            Compare::Results,
        )),
        1 => drop(sides.ask(Sysno::stat, &[name, room], Compare::Results)),
        2 => {
            let size = both(pick(random, &[0, 64, u64::MAX]));
            sides.ask(Sysno::readlink, &[name, room, size], Compare::Results);
        }
        3 => {
            let flags = both(pick(random, &[0, libc::AT_SYMLINK_NOFOLLOW as u64, 1 << 20]));
            let arguments = [both(libc::AT_FDCWD as u64), name, room, flags];
            sides.ask(Sysno::newfstatat, &arguments, Compare::Results);
        }
        _ => drop(sides.ask(Sysno::statfs, &[name, room], Compare::Results)),
    }
}

fn on_file<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    if sides.files.is_empty() || random.index(8) == 0 {
        return open(sides, random);
    }
    let index = random.index(sides.files.len());
    let file = if random.index(12) == 0 { both(9999) } else { sides.files[index] };
    let room = if random.index(10) == 0 { both(16) } else { sides.at(0) };
    let size = pick(random, &[0, 1, 10, 100, 3000, 4096]);
    match random.index(12) {
        0 => {
            if file.kernel != 9999 {
                sides.files.swap_remove(index);
            }
            sides.ask(Sysno::close, &[file], Compare::Results);
        }
        1 | 2 => {
            sides.put(0, &[0; 4096]);
            sides.ask(Sysno::read, &[file, room, both(size)], Compare::Bytes(4096));
        }
        3 => {
            sides.put(0, &[0; 4096]);
            let offset = both(pick(random, &[0, 5, 100, 9_999, 10_000, 1 << 40, u64::MAX]));
            sides.ask(Sysno::pread64, &[file, room, both(size), offset], Compare::Bytes(4096));
        }
        4 | 5 => {
            // Where holes are, file systems say each in a way of their own.
            let whences = if is_in(&sides.scratch, file) {
                [0, 0, 1, 2, 2, 9, 9]
            } else {
                [0, 0, 1, 2, 3, 4, 9]
            };
            let whence = both(pick(random, &whences));
            // A file that can be written would become as long, which is more than there is room for.
            let far = if is_in(&sides.scratch, file) { 30_000 } else { 1 << 40 };
            let offset = both(pick(random, &[0, 7, 99, 20_000, u64::MAX, far, -50_i64 as u64]));
            // Directories count positions in a way of their own.
            if is_directory(file) {
                return;
            }
            sides.ask(Sysno::lseek, &[file, offset, whence], Compare::Results);
        }
        6 => {
            let (kernel, server) = sides.ask(Sysno::dup, &[file], Compare::Errors);
            if kernel >= 0 {
                sides
                    .files
                    .push(Both { kernel: kernel.cast_unsigned(), server: server.cast_unsigned() });
            }
        }
        7 => {
            let (command, argument) = pick(random, &[(1, 0), (2, 1), (2, 0), (3, 0), (99, 0)]);
            let arguments = [file, both(command), both(argument)];
            sides.ask(Sysno::fcntl, &arguments, Compare::Results);
        }
        8 => {
            if sides.ask(Sysno::fstat, &[file, sides.at(0)], Compare::Results).0 < 0 {
                return;
            }
            let (own, theirs) = (sides.buffer[24..28].to_vec(), sides.buffer[48..56].to_vec());
            let at = sides.at(0).server as usize;
            let mode = read_word(&sides.library, at + 24) as u32 & libc::S_IFMT;
            let expected = u32::from_ne_bytes([own[0], own[1], own[2], own[3]]) & libc::S_IFMT;
            assert_eq!(mode, expected, "{:#?}", sides.said);
            let size = read_word(&sides.library, at + 48);
            if mode == libc::S_IFREG {
                assert_eq!(size.to_ne_bytes().as_slice(), theirs, "{:#?}", sides.said);
            }
        }
        9 => {
            put_vectors(sides, size);
            let count = both(pick(random, &[0, 1, 2, 1025]));
            let at = sides.at(4096);
            sides.put(0, &[0; 4096]);
            sides.ask(Sysno::readv, &[file, at, count], Compare::Bytes(4096));
        }
        10 => {
            let call = pick(random, &[Sysno::getpeername, Sysno::getsockname, Sysno::getsockopt]);
            sides.ask(call, &[file, room, room, room, room], Compare::Results);
        }
        _ => map_file(sides, random, file),
    }
}

/// Two `struct iovec`s into the start of the buffer, on each side its own.
fn put_vectors<R: World>(sides: &mut Sides<R>, size: u64) {
    let room = sides.at(0);
    let pieces = |start: u64| [start, size.min(1000), start + 2000, size.min(1500)];
    let bytes =
        |words: [u64; 4]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    sides.put(4096, &bytes(pieces(room.server)));
    sides.buffer[4096..4128].copy_from_slice(&bytes(pieces(room.kernel)));
}

fn is_in(directory: &std::path::Path, file: Both) -> bool {
    fs::read_link(format!("/proc/self/fd/{}", file.kernel))
        .is_ok_and(|path| path.starts_with(directory))
}

fn is_directory(file: Both) -> bool {
    fs::metadata(format!("/proc/self/fd/{}", file.kernel)).is_ok_and(|status| status.is_dir())
}

/// What is in a file, copied or mapped as it lies.
fn map_file<R: World>(sides: &mut Sides<R>, random: &mut Random, file: Both) {
    let offset = pick(random, &[0, 0, PAGE as u64, 1]);
    let access = both(pick(random, &[ACCESS, libc::PROT_READ as u64]));
    let len = both(PAGE as u64);
    let private = both(libc::MAP_PRIVATE as u64);
    let arguments = [both(0), len, access, private, file, both(offset)];
    let (kernel, server) = sides.ask(Sysno::mmap, &arguments, Compare::Errors);
    if kernel <= 0 {
        return;
    }
    let start = Both { kernel: kernel.cast_unsigned(), server: server.cast_unsigned() };
    let inside = fs::metadata(format!("/proc/self/fd/{}", file.kernel))
        .is_ok_and(|status| status.len() > offset);
    if inside {
        sides.check_pages(Pages { start, len: PAGE, whole: true });
    }
    sides.ask(Sysno::munmap, &[start, len], Compare::Results);
}

fn on_signals<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let set = pick(random, &[0, 1 << 11, 1 << 16 | 1 << 8, 1 << 55]);
    match random.index(3) {
        0 => {
            sides.put(0, &[0; 64]);
            sides.put(8, &u64::to_ne_bytes(set));
            let new = pick(random, &[sides.at(8), both(0), both(16)]);
            let how = both(pick(random, &[0, 1, 2, 77]));
            let size = both(pick(random, &[8, 8, 8, 16]));
            let arguments = [how, new, sides.at(0), size];
            sides.ask(Sysno::rt_sigprocmask, &arguments, Compare::Bytes(16));
        }
        _ => {
            let mut action = [0; 32];
            action[..8].copy_from_slice(&u64::to_ne_bytes(random.index(2) as u64));
            action[24..].copy_from_slice(&u64::to_ne_bytes(set));
            sides.put(0, &[0; 64]);
            sides.put(32, &action);
            let new = pick(random, &[sides.at(32), both(0), both(16)]);
            // None that a thread of the test's needs; none; two that nobody may have.
            let signal = both(pick(random, &[50, 51, 50, 51, 0, 65, 9, 19]));
            let arguments = [signal, new, sides.at(0), both(8)];
            sides.ask(Sysno::rt_sigaction, &arguments, Compare::Bytes(32));
        }
    }
}

/// Calls whose errors can be compared, if not what they say.
fn on_others<R: World>(sides: &mut Sides<R>, random: &mut Random) {
    let room = pick(random, &[sides.at(0), sides.at(0), both(0), both(16)]);
    let wild = pick(random, &[0, 1, 2, 7, 10, 12, 99, u64::from(u32::MAX)]);
    match random.index(12) {
        0 => drop(sides.ask(Sysno::clock_gettime, &[both(wild.min(99)), room], Compare::Errors)),
        1 => drop(sides.ask(Sysno::clock_getres, &[both(wild.min(99)), room], Compare::Errors)),
        2 => {
            sides.put(0, &[0; 16]);
            sides.put(8, &u64::to_ne_bytes(pick(random, &[0, 1_000_000_000, u64::MAX])));
            sides.ask(Sysno::nanosleep, &[sides.at(0), both(0)], Compare::Results);
        }
        3 => {
            let size = both(pick(random, &[0, 10, 256]));
            let flags = both(pick(random, &[0, 1, 2, 6, 8]));
            sides.ask(Sysno::getrandom, &[sides.at(0), size, flags], Compare::Results);
        }
        4 => drop(sides.ask(Sysno::getrlimit, &[both(wild), room], Compare::Errors)),
        5 => drop(sides.ask(Sysno::getrusage, &[both(wild), sides.at(0)], Compare::Errors)),
        6 => drop(sides.ask(Sysno::uname, &[room], Compare::Errors)),
        7 => drop(sides.ask(Sysno::getcpu, &[sides.at(0), both(0)], Compare::Errors)),
        8 => drop(sides.ask(
            Sysno::time,
            &[pick(random, &[sides.at(0), both(0), both(16)])],
            Compare::Errors,
        )),
        9 => drop(sides.ask(Sysno::gettimeofday, &[sides.at(0), both(0)], Compare::Results)),
        10 => {
            // The kernel would make a pipe with flags that are right.
            let flags = both(pick(random, &[1, libc::O_APPEND as u64, libc::O_TRUNC as u64]));
            sides.ask(Sysno::pipe2, &[sides.at(0), flags], Compare::Results);
        }
        _ => drop(sides.ask(Sysno::sysinfo, &[room], Compare::Errors)),
    }
}

/// Gives back all that a sequence left.
fn finish<R: World>(sides: &mut Sides<R>) {
    for pages in std::mem::take(&mut sides.pages) {
        sides.check_pages(pages);
        sides.ask(Sysno::munmap, &[pages.start, both(pages.len as u64)], Compare::Results);
    }
    for file in std::mem::take(&mut sides.files) {
        sides.ask(Sysno::close, &[file], Compare::Results);
    }
    for name in NAMES.into_iter().rev() {
        let path = sides.scratch.join(name);
        let name = put_path(sides, &path, BUFFER / 2);
        sides.ask(Sysno::unlink, &[name], Compare::Results);
        sides.ask(Sysno::rmdir, &[name], Compare::Results);
    }
    sides.put(0, &[0; 32]);
    let arguments = [both(libc::SIG_SETMASK as u64), sides.at(0), both(0), both(8)];
    sides.ask(Sysno::rt_sigprocmask, &arguments, Compare::Results);
    for signal in [50, 51] {
        let arguments = [both(signal), sides.at(0), both(0), both(8)];
        sides.ask(Sysno::rt_sigaction, &arguments, Compare::Results);
    }
    sides.said.clear();
}

/// The kernel's side has the process's handlers of signals, for one at a time.
static ONLY: Mutex<()> = Mutex::new(());

fn the_server_answers_as_the_kernel_does<R: World>() {
    let _only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let scratch = tempfile::tempdir_in("/tmp").expect("a directory");
    let bytes = |len: usize| (0..len).map(|index| (index * index / 7) as u8).collect::<Vec<_>>();
    fs::create_dir(directory.path().join("inner")).expect("made");
    for (name, len) in [("small", 100), ("large", 10_000), ("empty", 0), ("inner/file", 4096)] {
        fs::write(directory.path().join(name), bytes(len)).expect("written");
    }
    let mut sides = Sides::<R>::new(directory.path(), scratch.path());
    let name = put_path(&mut sides, scratch.path(), BUFFER / 2);
    assert_eq!(sides.server(Sysno::mkdir, &[name, both(0o700)]), 0);
    // Whatever the test's thread blocks already.
    finish(&mut sides);
    fuzz("server", 3000, |random| {
        for _ in 0..STEPS {
            match random.index(16) {
                0 | 1 => map(&mut sides, random),
                2..=4 => on_pages(&mut sides, random),
                5..=7 => on_file(&mut sides, random),
                8 => on_path(&mut sides, random),
                9 => on_signals(&mut sides, random),
                10 | 11 => on_scratch(&mut sides, random),
                12 | 13 => write(&mut sides, random),
                _ => on_others(&mut sides, random),
            }
        }
        finish(&mut sides);
    });
}

on_every_runtime! {
    the_server_answers_as_the_kernel_does
}

as_verified_code! {
    the_server_answers_as_the_kernel_does
}
