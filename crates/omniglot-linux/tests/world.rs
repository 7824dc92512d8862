//! What the system-call server in a domain answers: the small world that a library finds itself in,
//! in a worker and in this process.
#![allow(clippy::expect_used, clippy::panic, unsafe_code)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Description, Error, Event, FaultKind, Result, Runtime, Session};
use omniglot_linux::{FileSource, LineSink, Options, Permission, Process, SyscallPolicy};
use support::{World, image_of_both, library, read_word, result, write_frame};
use syscalls::Sysno;

/// The shims of `images/world.c`, after the two that every image has.
#[derive(Clone, Copy)]
enum Shim {
    Calls = 2,
    Registers,
    Thread,
    Churn,
    Zeros,
    Handler,
    Say,
    Sum,
    Environment,
    Ask,
    Stray,
    Threads,
    Wait,
    Elsewhere,
    Scratch,
    Load,
    Execute,
    Again,
}

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

fn start<R: World>(options: &Options) -> Session<R> {
    let mut options = options.clone();
    options.start_timeout = Duration::from_secs(300);
    Session::new(R::load(&description(), &options).expect("the library loads"))
}

fn fresh<R: World>() -> Session<R> {
    start::<R>(&Options::default())
}

fn call<R: World>(linux: &mut Session<R>, shim: Shim, a: u64, b: u64) -> Result<u64> {
    let frame = write_frame(linux, 0, a, b);
    let entry = linux.shim(shim as u32).expect("a shim");
    match linux.enter(entry, frame)? {
        Event::Returned => Ok(result(linux, 0)),
        callback => panic!("no callback was expected, but {callback:?}"),
    }
}

/// Where the words of system calls are written, and behind them what they point to.
fn words<R: World>(linux: &Session<R>) -> usize {
    linux.exchange().0 + 4096
}

fn room<R: World>(linux: &Session<R>) -> usize {
    words(linux) + 4096
}

/// Makes one system call.
fn ask<R: World>(linux: &mut Session<R>, call_: Sysno, arguments: &[u64]) -> Result<i64> {
    ask_number(linux, call_ as u64, arguments)
}

fn ask_number<R: World>(linux: &mut Session<R>, number: u64, arguments: &[u64]) -> Result<i64> {
    let mut bytes = number.to_ne_bytes().to_vec();
    for index in 0..7 {
        bytes.extend(arguments.get(index).unwrap_or(&0).to_ne_bytes());
    }
    let at = words(linux);
    linux.write(at, &bytes)?;
    call(linux, Shim::Calls, at as u64, 1)?;
    Ok(read_word(linux, at + 56).cast_signed())
}

/// A number that stands for an error.
const fn failed(errno: i32) -> i64 {
    -(errno as i64)
}

fn text<R: World>(linux: &mut Session<R>, path: &str) -> u64 {
    let at = room(linux) + 8192;
    linux.write(at, path.as_bytes()).expect("there is room");
    linux.write(at + path.len(), &[0]).expect("there is room");
    at as u64
}

fn an_answered_call_changes_no_register_but_three<R: World>() {
    let mut options = Options::default();
    options.tmp = 1 << 20;
    let mut linux = start::<R>(&options);
    let name = text(&mut linux, "/tmp/a/../file");
    let (at, private) = (room(&linux) as u64, (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64);
    let creates = (libc::O_CREAT | libc::O_RDWR) as u64;
    for (call_, arguments) in [
        (Sysno::getpid, [1, 2, 3, 4, 5, 6]),
        (Sysno::open, [name, creates, 0o600, 0, 0, 0]),
        (Sysno::pwrite64, [3, at, 5000, 0, 0, 0]),
        (Sysno::pread64, [3, at, 5000, 0, 0, 0]),
        (Sysno::rename, [name, name, 0, 0, 0, 0]),
        (Sysno::stat, [name, at, 0, 0, 0, 0]),
        (Sysno::statx, [0, name, 0, 0xfff, at, 0]),
        (Sysno::uname, [at, 0, 0, 0, 0, 0]),
        (Sysno::sysinfo, [at, 0, 0, 0, 0, 0]),
        (Sysno::getrusage, [0, at, 0, 0, 0, 0]),
        (Sysno::getrandom, [at, 777, 0, 0, 0, 0]),
        (Sysno::write, [1, at, 300, 0, 0, 0]),
        (Sysno::write, [1, 16, 300, 0, 0, 0]),
        (Sysno::mmap, [0, 1 << 20, 3, private, u64::MAX, 0]),
        (Sysno::mmap, [0, 1 << 20, 3, 0, u64::MAX, 0]),
        (Sysno::brk, [0; 6]),
        (Sysno::rt_sigaction, [5, at, at, 8, 0, 0]),
        (Sysno::clock_gettime, [0, at, 0, 0, 0, 0]),
        (Sysno::nanosleep, [at, 0, 0, 0, 0, 0]),
    ] {
        let mut bytes = (call_ as u64).to_ne_bytes().to_vec();
        bytes.extend(arguments.iter().flat_map(|argument: &u64| argument.to_ne_bytes()));
        let at = words(&linux);
        linux.write(at, &bytes).expect("there is room");
        assert_eq!(call(&mut linux, Shim::Registers, at as u64, 0), Ok(0), "{call_}");
    }
}

/// What the host says of calls is what the server does.
fn the_policy_is_what_the_server_does<R: World>() {
    let mut linux = fresh::<R>();
    let of_the_kernel = [Sysno::exit_group, Sysno::rt_sigreturn, Sysno::uprobe, Sysno::uretprobe];
    for call in Sysno::iter() {
        if !R::IS_HERE && of_the_kernel.contains(&call) {
            continue;
        }
        let outcome = ask(&mut linux, call, &[]);
        let expected = match SyscallPolicy::of(call.name()) {
            _ if R::IS_HERE && [Sysno::exit, Sysno::exit_group].contains(&call) => {
                outcome == Err(Error::Exited { status: Some(0) })
            }
            // Here the kernel executes nothing.
            Some(SyscallPolicy::Allowed) if R::IS_HERE => {
                outcome.is_ok() || matches!(outcome, Err(Error::SyscallDenied { .. }))
            }
            Some(SyscallPolicy::Allowed | SyscallPolicy::Answered) => outcome.is_ok(),
            _ => {
                matches!(outcome, Err(Error::SyscallDenied { number, .. }) if number == call as u64)
            }
        };
        assert!(expected, "{call}: {outcome:?}");
        if outcome.is_err() {
            linux.reset().expect("a reset");
        }
    }
}

fn who_and_where_are_the_same_everywhere<R: World>() {
    let mut linux = fresh::<R>();
    for (call, answer) in [
        (Sysno::getpid, 2),
        (Sysno::gettid, 2),
        (Sysno::getppid, 1),
        (Sysno::getuid, 1000),
        (Sysno::geteuid, 1000),
        (Sysno::getgid, 1000),
        (Sysno::sched_yield, 0),
    ] {
        assert_eq!(ask(&mut linux, call, &[]), Ok(answer), "{call}");
    }
    let at = room(&linux) as u64;
    assert_eq!(ask(&mut linux, Sysno::sched_getaffinity, &[0, 128, at]), Ok(8));
    assert_eq!(read_word(&linux, at as usize), 1, "one processor");
    assert_eq!(ask(&mut linux, Sysno::uname, &[at]), Ok(0));
    let mut name = [0; 65];
    linux.window().read(at as usize + 65, &mut name).expect("a name");
    assert!(name.starts_with(b"omniglot\0"), "not the host's name: {name:?}");
    assert_eq!(ask(&mut linux, Sysno::sysinfo, &[at]), Ok(0));
    let all = linux.window().len() as u64;
    assert_eq!(read_word(&linux, at as usize + 32), all, "all memory is the window");
}

fn a_pointer_to_nothing_is_an_error_as_the_kernels<R: World>() {
    let mut linux = fresh::<R>();
    // Nothing, what is not mapped, what no address is, read-only memory.
    let code = linux.shim(2).expect("a shim") as u64;
    for wrong in [1, 0x1000, 1 << 50, u64::MAX - 100, code] {
        assert_eq!(ask(&mut linux, Sysno::uname, &[wrong]), Ok(failed(14)), "{wrong:#x}");
    }
    for wrong in [1, 1 << 50, u64::MAX - 100] {
        assert_eq!(ask(&mut linux, Sysno::write, &[2, wrong, 5]), Ok(failed(14)), "{wrong:#x}");
        assert_eq!(ask(&mut linux, Sysno::open, &[wrong]), Ok(failed(14)), "{wrong:#x}");
    }
    assert_eq!(ask(&mut linux, Sysno::getpid, &[]), Ok(2), "it goes on");
}

fn nothing_is_there_but_a_few_devices<R: World>() {
    let mut linux = fresh::<R>();
    for (path, errno) in [
        ("/etc/passwd", 2),
        ("/proc/self/maps", 2),
        ("/sys/devices/system/cpu/online", 2),
        ("relative", 2),
        ("", 2),
        ("/dev/null/more", 20),
    ] {
        let at = text(&mut linux, path);
        assert_eq!(ask(&mut linux, Sysno::open, &[at, 0]), Ok(failed(errno)), "{path}");
        assert_eq!(ask(&mut linux, Sysno::access, &[at, 0]), Ok(failed(errno)), "{path}");
        let status = room(&linux) as u64;
        assert_eq!(ask(&mut linux, Sysno::stat, &[at, status]), Ok(failed(errno)), "{path}");
    }
    let new = text(&mut linux, "/new");
    let creates = (libc::O_CREAT | libc::O_WRONLY) as u64;
    assert_eq!(ask(&mut linux, Sysno::open, &[new, creates]), Ok(failed(libc::EACCES)));
    let (zero, random) = (text(&mut linux, "/dev/../dev//./zero"), room(&linux) as u64);
    let file = ask(&mut linux, Sysno::open, &[zero, 0]).expect("a descriptor") as u64;
    linux.write(room(&linux), &[1; 16]).expect("room");
    assert_eq!(ask(&mut linux, Sysno::read, &[file, random, 16]), Ok(16));
    assert_eq!(read_word(&linux, room(&linux)), 0);
    let urandom = text(&mut linux, "/dev/urandom");
    let file = ask(&mut linux, Sysno::open, &[urandom, 0]).expect("a descriptor") as u64;
    assert_eq!(ask(&mut linux, Sysno::read, &[file, random, 16]), Ok(16));
    assert_ne!(read_word(&linux, room(&linux)), 0);
}

fn nobody_can_start_a_thread_but_may_try<R: World>() {
    let mut linux = fresh::<R>();
    assert_eq!(call(&mut linux, Shim::Thread, 0, 0), Ok(libc::EAGAIN as u64));
    assert_eq!(call(&mut linux, Shim::Thread, 0, 0), Ok(libc::EAGAIN as u64));
    let ended = ask(&mut linux, Sysno::clone, &[libc::SIGCHLD as u64]);
    assert!(matches!(ended, Err(Error::SyscallDenied { name: "clone", .. })), "{ended:?}");
}

fn there_are_no_pipes_and_no_file_is_a_socket<R: World>() {
    let mut linux = fresh::<R>();
    let pair = room(&linux) as u64;
    assert_eq!(ask(&mut linux, Sysno::pipe, &[pair]), Ok(failed(libc::ENFILE)));
    assert_eq!(ask(&mut linux, Sysno::pipe2, &[pair, 0]), Ok(failed(libc::ENFILE)));
    for call in [Sysno::getpeername, Sysno::getsockname, Sysno::getsockopt] {
        assert_eq!(ask(&mut linux, call, &[0]), Ok(failed(libc::ENOTSOCK)), "{call}");
        assert_eq!(ask(&mut linux, call, &[77]), Ok(failed(libc::EBADF)), "{call}");
    }
}

/// Returns true if a place is in that function. It is told by its line if the sample was compiled
/// with debug information, as for the guest, else by its offset.
fn is_in(place: &str, function: &str) -> bool {
    let is_told = |rest: &str| rest.starts_with(" (world.c:") || rest.starts_with("+0x");
    place.strip_prefix("world: ").and_then(|rest| rest.strip_prefix(function)).is_some_and(is_told)
}

fn a_denied_call_says_who_asked_and_for_what<R: World>() {
    let mut linux = fresh::<R>();
    match call(&mut linux, Shim::Ask, 0, 0) {
        Err(error @ Error::SyscallDenied { name: "socket", place, .. }) => {
            assert!(is_in(place.as_str(), "asks_for_network"), "{place}");
            assert!(error.to_string().ends_with("; nothing permits it"), "{error}");
        }
        other => panic!("the call should be denied, but {other:?}"),
    }
    let mut options = Options::default();
    options.strict = true;
    let mut linux = start::<R>(&options);
    let name = text(&mut linux, "/etc/strange\x1b.conf");
    match call(&mut linux, Shim::Ask, name, 0) {
        Err(error @ Error::SyscallDenied { name: "openat" | "open", place, .. }) => {
            assert!(is_in(place.as_str(), "asks_for_file"), "{place}");
            assert!(place.as_str().ends_with(" for \"/etc/strange\\u{1b}.conf\""), "{place}");
            assert!(error.to_string().contains("`.file(..)`"), "{error}");
        }
        other => panic!("the call should be denied, but {other:?}"),
    }
    linux.reset().expect("a reset");
    let name = text(&mut linux, "/tmp/strange");
    match call(&mut linux, Shim::Ask, name, 0) {
        Err(error) => assert!(error.to_string().contains("`.tmp(bytes)`"), "{error}"),
        other => panic!("the call should be denied, but {other:?}"),
    }
}

fn with_threads(threads: u16) -> Session<Process> {
    let mut options = Options::default();
    options.allow = Permission::Threads(threads).into();
    start::<Process>(&options)
}

#[test]
fn so_many_threads_are_to_be_had_as_are_permitted() {
    for (permitted, wanted, there) in [(0, 3, 0), (1, 1, 1), (3, 8, 3), (8, 4, 4)] {
        let mut linux = with_threads(permitted);
        for _ in 0..2 {
            let started = call(&mut linux, Shim::Threads, wanted, 50);
            assert_eq!(started, Ok(50 * 1_000_001 * there), "{wanted} of {permitted}");
            linux.reset().expect("a reset");
        }
    }
}

#[test]
fn a_thread_waits_for_a_time_and_for_another() {
    let mut linux = with_threads(1);
    assert_eq!(call(&mut linux, Shim::Wait, 20, 0), Ok(libc::ETIMEDOUT as u64));
    assert_eq!(call(&mut linux, Shim::Wait, 1_000_000, 1), Ok(0));
    // Without, nobody could come.
    assert_eq!(call(&mut fresh::<Process>(), Shim::Wait, 1_000_000, 0), Ok(libc::ETIMEDOUT as u64));
}

#[test]
fn what_ends_a_thread_ends_the_call() {
    let calls = |linux: &mut Session<Process>, number: Sysno| {
        let at = words(linux);
        linux.write(at, &(number as u64).to_ne_bytes()).expect("room");
        call(linux, Shim::Elsewhere, at as u64, 1)
    };
    let mut linux = with_threads(2);
    assert_eq!(calls(&mut linux, Sysno::getpid), Ok(0));
    for number in [Sysno::socket, Sysno::execve, Sysno::fork, Sysno::ptrace] {
        let ended = calls(&mut linux, number);
        assert!(matches!(ended, Err(Error::SyscallDenied { name, .. }) if name == number.name()));
        linux.reset().expect("a reset");
    }
    match call(&mut linux, Shim::Elsewhere, 0, 0) {
        Err(Error::Fault(fault)) => assert!(fault.to_string().contains("callback by a thread")),
        other => panic!("no thread but the first calls the host, but {other:?}"),
    }
}

/// A thread that never ends is no obstacle to the next call, or to a reset.
#[test]
fn a_thread_runs_between_calls() {
    let mut linux = with_threads(1);
    assert_eq!(call(&mut linux, Shim::Elsewhere, 0, u64::MAX), Ok(0));
    assert_eq!(ask(&mut linux, Sysno::getpid, &[]), Ok(2));
    assert_eq!(call(&mut linux, Shim::Threads, 1, 1), Ok(0), "it is in use");
    linux.reset().expect("a reset");
    assert_eq!(call(&mut linux, Shim::Threads, 1, 1), Ok(1_000_001));
}

#[test]
fn too_many_threads_are_refused_by_name() {
    let mut options = Options::default();
    options.allow = Permission::Threads(65).into();
    let refused = Process::start(&description(), &options).expect_err("too many");
    assert!(refused.to_string().contains("at most 64"), "{refused}");
}

fn a_library_has_a_tmp_of_its_own_if_it_is_given_one<R: World>() {
    const LIMIT: usize = 8 << 20;
    let mut options = Options::default();
    let mut linux = start::<R>(&options);
    assert_ne!(call(&mut linux, Shim::Scratch, LIMIT as u64 + 1, 0), Ok(0), "there is none");
    options.tmp = LIMIT;
    let mut linux = start::<R>(&options);
    for _ in 0..20 {
        assert_eq!(call(&mut linux, Shim::Scratch, LIMIT as u64 + 1, 0), Ok(0));
    }
    // Nothing of it is there in the next life.
    let creates = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
    for _ in 0..2 {
        assert!(open(&mut linux, "/tmp/kept", creates) >= 0);
        assert_eq!(open(&mut linux, "/tmp/kept", creates), failed(libc::EEXIST));
        linux.reset().expect("a reset");
    }
    options.files = vec![("/tmp/given".into(), FileSource::from(b"x"))];
    let refused = R::load(&description(), &options).expect_err("both");
    assert!(refused.to_string().contains("library's own"), "{refused}");
}

fn plugins_are_loaded_from_a_directory_and_nothing_else_is<R: World>() {
    let plugin = library("extra.c");
    let directory = plugin.parent().expect("its directory").to_path_buf();
    fs::write(directory.join("index"), "not a library").expect("written");
    let mut options = Options::default();
    let path = plugin.to_str().expect("text");
    let mut linux = start::<R>(&options);
    let name = text(&mut linux, path);
    assert_eq!(call(&mut linux, Shim::Load, name, 0), Ok(0));
    assert!(linux.output().expect("output").contains("No such file"), "{:?}", linux.output());
    // A file that is given can be read, and not executed.
    options.files = vec![(plugin.clone(), FileSource::Path(plugin.clone()))];
    let mut linux = start::<R>(&options);
    let name = text(&mut linux, path);
    assert_eq!(call(&mut linux, Shim::Load, name, 0), Ok(0));
    assert!(linux.output().expect("output").contains("failed to map"), "{:?}", linux.output());
    options.files.clear();
    options.plugin_directories = vec![directory.clone()];
    let mut linux = start::<R>(&options);
    for _ in 0..2 {
        let name = text(&mut linux, path);
        assert_eq!(call(&mut linux, Shim::Load, name, 0), Ok(2), "{:?}", linux.output());
        let index = text(&mut linux, directory.join("index").to_str().expect("text"));
        assert_eq!(call(&mut linux, Shim::Sum, index, 0), Ok(sum(b"not a library")));
        linux.reset().expect("a reset");
    }
}

fn lines_are_handed_on_after_the_call_that_wrote_them<R: World>() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut options = Options::default();
    let into = Arc::clone(&heard);
    options.output =
        Some(LineSink::new(move |line| into.lock().expect("lines").push(line.to_owned())));
    let lines = || std::mem::take(&mut *heard.lock().expect("lines"));
    let mut linux = start::<R>(&options);
    for stream in [1, 2] {
        assert!(call(&mut linux, Shim::Say, stream, 0).is_ok());
        assert_eq!(lines(), [format!("line 1 \\u{{1b}}[31m of stream {stream}")]);
    }
    // The beginning of a line waits for its end, or for the domain's.
    for (part, expected) in [("be", &[][..]), ("gun\nne", &["begun"]), ("", &[])] {
        let at = text(&mut linux, part);
        let len = part.len() as u64;
        assert_eq!(ask(&mut linux, Sysno::write, &[1, at, len]), Ok(part.len() as i64));
        assert_eq!(lines(), expected);
    }
    linux.reset().expect("a reset");
    assert_eq!(lines(), ["ne"]);
    // More than is kept.
    let at = room(&linux) as u64;
    linux.write(room(&linux), &[b'a'; 9000]).expect("room");
    assert_eq!(ask(&mut linux, Sysno::write, &[1, at, 9000]), Ok(9000));
    let said = lines();
    assert_eq!(said[0], "(808 bytes were written faster than they were read)");
    assert_eq!(said[1].len(), 4096);
    assert!(call(&mut linux, Shim::Say, 2, 1).is_err());
    assert!(lines().last().is_some_and(|line| line.ends_with("of stream 2")));
}

/// Says that a copy of this test is to ask for things, which the runtime writes to that file.
const LEARN: &str = "OMNIGLOT_LEARN";

/// Not a test by itself: two lives, the second of which ends by a denied call.
#[test]
fn asks_for_things() {
    if std::env::var_os(LEARN).is_none() {
        return;
    }
    let mut linux = fresh::<Process>();
    for _ in 0..3 {
        assert_eq!(open(&mut linux, "/etc/one\tline\n", 0), failed(libc::ENOENT));
    }
    linux.reset().expect("a reset");
    assert!(call(&mut linux, Shim::Ask, 0, 0).is_err());
}

#[test]
fn what_is_asked_for_is_written_down_for_learn() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let copy = Command::new(std::env::current_exe().expect("this test"))
        .arg("asks_for_things") // in the guest the test is in a module
        .env(LEARN, file.path())
        .output()
        .expect("a copy of this test");
    assert!(copy.status.success(), "{copy:?}");
    let said = fs::read_to_string(file.path()).expect("text");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0], "asked\tworld\topen\t2\t3\t/etc/one\\tline\\n", "{said}");
    let place = lines[1].strip_prefix("denied\tworld\tsocket\t41\t1\t");
    assert!(place.is_some_and(|place| is_in(place, "asks_for_network")), "{said}");
}

/// What a library that is lying says of its output is no reason for the host to fail.
fn output_that_cannot_be_is_none<R: World>() {
    for said in [u64::MAX, 1 << 63, 8193, 8192] {
        let heard = Arc::new(Mutex::new(0));
        let mut options = Options::default();
        let into = Arc::clone(&heard);
        options.output = Some(LineSink::new(move |_| *into.lock().expect("a number") += 1));
        let mut linux = start::<R>(&options);
        let place = linux.control() + 0x1010; // `said` of `struct world`
        linux.write(place, &said.to_ne_bytes()).expect("in the window");
        let _ = ask(&mut linux, Sysno::getpid, &[]);
        assert!(linux.output().is_ok_and(|output| output.len() <= 8 * 8192));
        assert!(*heard.lock().expect("a number") < 10);
    }
}

/// A stack that says nothing, or lies, is no obstacle.
fn a_denied_call_on_a_broken_stack_is_reported_all_the_same<R: World>() {
    for stack in [0, 8, 1 << 50, 0x7fff_ffff_ffff] {
        match call(&mut fresh::<R>(), Shim::Stray, stack, 0) {
            Err(Error::SyscallDenied { name: "socket", .. }) => {}
            other => panic!("{stack:#x}: the call should be denied, but {other:?}"),
        }
    }
}

fn no_handler_of_the_librarys_is_ever_called<R: World>() {
    match call(&mut fresh::<R>(), Shim::Handler, 0, 0) {
        Err(Error::Fault(fault)) => assert_eq!((fault.kind, fault.address), (FaultKind::Access, 8)),
        other => panic!("a fault was expected, but {other:?}"),
    }
}

/// Nanoseconds, by a clock of the library's.
fn clock<R: World>(linux: &mut Session<R>, id: i32) -> u64 {
    let at = room(linux);
    assert_eq!(ask(linux, Sysno::clock_gettime, &[id as u64, at as u64]), Ok(0));
    read_word(linux, at) * 1_000_000_000 + read_word(linux, at + 8)
}

/// The host's clock, to the kernel's tick, in nanoseconds.
fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in a local variable.
    let asked = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut now) };
    assert_eq!(asked, 0);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

fn the_time_is_when_the_call_began_to_the_millisecond<R: World>() {
    const MILLISECOND: u64 = 1_000_000;
    let mut linux = fresh::<R>();
    for _ in 0..50 {
        let before = now() / MILLISECOND * MILLISECOND;
        let told = clock(&mut linux, libc::CLOCK_REALTIME);
        assert!(told.is_multiple_of(MILLISECOND), "{told}");
        assert!((before..=now()).contains(&told), "{told} {before}");
    }
}

fn sleeping_moves_the_clock_and_takes_no_time<R: World>() {
    const YEAR: u64 = 365 * 86400;
    let mut linux = fresh::<R>();
    let (day, up) =
        (clock(&mut linux, libc::CLOCK_REALTIME), clock(&mut linux, libc::CLOCK_MONOTONIC));
    let at = room(&linux);
    linux.write(at, &YEAR.to_ne_bytes()).expect("room");
    linux.write(at + 8, &0_u64.to_ne_bytes()).expect("room");
    assert_eq!(ask(&mut linux, Sysno::nanosleep, &[at as u64, 0]), Ok(0));
    for (id, before) in [(libc::CLOCK_REALTIME, day), (libc::CLOCK_MONOTONIC, up)] {
        let passed = clock(&mut linux, id) - before;
        assert!(passed >= YEAR * 1_000_000_000, "{id}: {passed}");
    }
    // A wait on a word that nobody changes is over, and later.
    let up = clock(&mut linux, libc::CLOCK_MONOTONIC);
    linux.write(at, &YEAR.to_ne_bytes()).expect("room");
    linux.write(at + 8, &0_u64.to_ne_bytes()).expect("room");
    let word = at as u64 + 64;
    let seen = read_word(&linux, word as usize) & 0xffff_ffff;
    assert_eq!(
        ask(&mut linux, Sysno::futex, &[word, 0, seen, at as u64]),
        Ok(failed(libc::ETIMEDOUT))
    );
    assert!(clock(&mut linux, libc::CLOCK_MONOTONIC) - up >= YEAR * 1_000_000_000);
}

fn random_numbers_are_others_in_each_life_and_each_draw<R: World>() {
    let mut linux = fresh::<R>();
    let mut seen = Vec::new();
    for _ in 0..3 {
        for _ in 0..3 {
            let at = room(&linux);
            assert_eq!(ask(&mut linux, Sysno::getrandom, &[at as u64, 256, 0]), Ok(256));
            seen.extend((0..32).map(|index| read_word(&linux, at + 8 * index)));
        }
        linux.reset().expect("a reset");
    }
    let drawn = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), drawn);
}

/// Bytes of a domain's memory that are in use, where foreign code has it.
fn resident<R: World>(linux: &Session<R>) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{}/smaps", linux.process())).expect("smaps");
    let (start, len) = (linux.window().start(), linux.window().len());
    let (mut is_inside, mut kilobytes) = (false, 0);
    for line in maps.lines() {
        let first = line.split([' ', '-']).next().unwrap_or_default();
        if let Ok(address) = usize::from_str_radix(first, 16) {
            is_inside = (start..start + len).contains(&address);
        } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| is_inside) {
            let size = size.trim().trim_end_matches(" kB");
            kilobytes += size.parse::<u64>().expect("a number");
        }
    }
    kilobytes << 10
}

fn memory_that_is_freed_is_given_back<R: World>() {
    const BLOCK: u64 = 8 << 20;
    let mut linux = fresh::<R>();
    let before = resident(&linux);
    assert_eq!(call(&mut linux, Shim::Churn, BLOCK, 32), Ok(32), "256 MiB at a time");
    let after = resident(&linux);
    assert!(after < before + (32 << 20), "{before} then {after}");
    // Small blocks, which are malloc's own to keep, up to a limit.
    assert_eq!(call(&mut linux, Shim::Churn, 1000, 200_000), Ok(200_000));
    let after = resident(&linux);
    assert!(after < before + (64 << 20), "{before} then {after}");
    for size in [1_000_000, BLOCK] {
        assert_eq!(call(&mut linux, Shim::Zeros, size, 0), Ok(0), "fresh memory is zero");
    }
}

fn memory_is_never_executable<R: World>() {
    let mut linux = fresh::<R>();
    let all = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as u64;
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let refused = ask(&mut linux, Sysno::mmap, &[0, 4096, all, private, u64::MAX, 0]);
    assert_eq!(refused, Ok(failed(libc::EACCES)));
    let page = ask(&mut linux, Sysno::mmap, &[0, 4096, 3, private, u64::MAX, 0]).expect("a page");
    assert!(page > 0, "{page}");
    let refused = ask(&mut linux, Sysno::mprotect, &[page.cast_unsigned(), 4096, all]);
    assert_eq!(refused, Ok(failed(libc::EACCES)));
}

#[test]
fn memory_is_code_where_that_is_permitted() {
    let mut options = Options::default();
    assert_eq!(call(&mut start::<Process>(&options), Shim::Execute, 0, 0), Ok(0));
    assert_eq!(call(&mut start::<Process>(&options), Shim::Execute, 1, 0), Ok(0));
    options.allow = Permission::ExecutableMemory.into();
    let mut linux = start::<Process>(&options);
    for how in [0, 1, 0, 1] {
        assert_eq!(call(&mut linux, Shim::Execute, how, 0), Ok(42));
    }
    // Only its own memory: not the host's part of the window, nor what lies outside.
    let (exchange, filter) = (linux.exchange().0 as u64 & !4095, 0x2000_0000);
    for place in [exchange, filter] {
        let outcome = ask(&mut linux, Sysno::mprotect, &[place, 4096, 7]);
        assert!(matches!(outcome, Ok(..0)), "{place:#x}: {outcome:?}");
    }
}

/// Bytes that do not repeat at once.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * index / 7 + index / 251) as u8).collect()
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

/// A library with files: bytes, a large file of the host's, a directory with a directory and a link.
fn with_files() -> (tempfile::TempDir, Options) {
    let host = tempfile::tempdir().expect("a directory");
    let at = |name: &str| host.path().join(name);
    fs::write(at("large"), bytes(3_000_001)).expect("written");
    fs::create_dir_all(at("all/deeper")).expect("made");
    fs::write(at("all/b.txt"), b"in the directory").expect("written");
    fs::write(at("all/deeper/c"), b"").expect("written");
    std::os::unix::fs::symlink(at("large"), at("all/link")).expect("linked");
    std::os::unix::fs::symlink("nowhere", at("all/broken")).expect("linked");
    let mut options = Options::default();
    options.files = vec![
        ("/etc/small.conf".into(), FileSource::from(b"a = 1\n")),
        ("/usr/share//x/./large".into(), at("large").into()),
        ("/all".into(), FileSource::Directory(at("all"))),
    ];
    (host, options)
}

fn open<R: World>(linux: &mut Session<R>, path: &str, flags: i32) -> i64 {
    let at = text(linux, path);
    ask(linux, Sysno::open, &[at, flags as u64]).expect("an answer")
}

fn files_that_are_given_are_there_in_each_life<R: World>() {
    let (host, options) = with_files();
    let mut linux = start::<R>(&options);
    drop(host); // they were read when the instance was made
    for _ in 0..2 {
        for (path, expected) in [
            ("/etc/small.conf", sum(b"a = 1\n")),
            ("/usr/share/x/large", sum(&bytes(3_000_001))),
            ("/all/link", sum(&bytes(3_000_001))),
            ("all/../all/b.txt", sum(b"in the directory")),
            ("/all/deeper/c", 0),
            ("/all/broken", u64::MAX),
            ("/all/d", u64::MAX),
            ("/etc", u64::MAX),
        ] {
            let at = text(&mut linux, path);
            let read = call(&mut linux, Shim::Sum, at, 0);
            assert_eq!(read, Ok(if path == "/etc" { 0 } else { expected }), "{path}");
        }
        assert_eq!(open(&mut linux, "/etc/small.conf", libc::O_RDWR), failed(libc::EACCES));
        assert_eq!(
            open(&mut linux, "/etc/new", libc::O_RDWR | libc::O_CREAT),
            failed(libc::EACCES)
        );
        let directory = open(&mut linux, "/all", libc::O_RDONLY | libc::O_DIRECTORY);
        assert_eq!(names(&mut linux, directory), [".", "..", "b.txt", "deeper", "link"]);
        let root = open(&mut linux, "/", libc::O_RDONLY);
        assert_eq!(names(&mut linux, root), [".", "..", "dev", "all", "etc", "usr"]);
        linux.reset().expect("a reset");
    }
}

/// Spares are shared by instances that are alike; what they read of the host's files counts.
fn an_instance_has_the_files_that_it_read_in_each_life<R: World>() {
    let host = tempfile::tempdir().expect("a directory");
    let path = host.path().join("file");
    let mut options = Options::default();
    options.spares = Some(1);
    options.files = vec![("/file".into(), FileSource::Path(path.clone()))];
    fs::write(&path, "before").expect("written");
    let mut first = start::<R>(&options);
    first.reset().expect("a reset");
    fs::write(&path, "after!").expect("written");
    let mut second = start::<R>(&options);
    for _ in 0..3 {
        for (linux, bytes) in [(&mut first, &b"before"[..]), (&mut second, b"after!")] {
            let at = text(linux, "/file");
            assert_eq!(call(linux, Shim::Sum, at, 0), Ok(sum(bytes)));
            linux.reset().expect("a reset");
        }
    }
}

fn a_descriptor_of_the_output_is_no_directory<R: World>() {
    let mut linux = fresh::<R>();
    let path = text(&mut linux, "relative");
    for descriptor in [0, 1, 2] {
        let answer = ask(&mut linux, Sysno::openat, &[descriptor, path, 0]);
        assert_eq!(answer, Ok(failed(libc::ENOTDIR)), "{descriptor}");
    }
}

/// What getdents64 says, in several calls.
fn names<R: World>(linux: &mut Session<R>, directory: i64) -> Vec<String> {
    let (at, mut names) = (room(linux), Vec::new());
    loop {
        let arguments = [directory.cast_unsigned(), at as u64, 64];
        let got = ask(linux, Sysno::getdents64, &arguments).expect("an answer");
        assert!(got >= 0, "{got}");
        if got == 0 {
            return names;
        }
        let mut entries = vec![0; got as usize];
        linux.window().read(at, &mut entries).expect("in the window");
        let mut rest = entries.as_slice();
        while let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, low, high, ..] = rest {
            let len = usize::from(u16::from_ne_bytes([*low, *high]));
            let name = rest[19..len].split(|byte| *byte == 0).next().expect("a name");
            names.push(String::from_utf8(name.to_vec()).expect("a name"));
            rest = &rest[len..];
        }
    }
}

fn a_file_that_is_mapped_to_be_read_is_not_copied_and_the_host_sees_it<R: World>() {
    let (_host, options) = with_files();
    let mut linux = start::<R>(&options);
    let file = open(&mut linux, "/usr/share/x/large", libc::O_RDONLY).cast_unsigned();
    let before = resident(&linux);
    let private = libc::MAP_PRIVATE as u64;
    let arguments = [0, 2_990_000, 1, private, file, 8192];
    let tail = ask(&mut linux, Sysno::mmap, &arguments).expect("an answer");
    assert!(tail > 0, "{tail}");
    assert!(resident(&linux) < before + (1 << 20), "nothing was copied");
    let mut seen = vec![0; 2_000_000];
    linux.window().read(tail as usize, &mut seen).expect("in the window");
    assert_eq!(seen, bytes(3_000_001)[8192..8192 + 2_000_000]);
    // One that may be written, of which nobody else sees anything.
    let arguments = [0, 3_000_001, 3, private, file, 0];
    let own = ask(&mut linux, Sysno::mmap, &arguments).expect("an answer");
    linux.write(own as usize, &[0xff; 4096]).expect("in the window");
    linux.window().read(tail as usize, &mut seen).expect("in the window");
    assert_eq!(seen, bytes(3_000_001)[8192..8192 + 2_000_000]);
    assert!(resident(&linux) < before + (7 << 20), "the file and one copy");
    // Where the host writes into what is only there to be read, nothing happens to anybody.
    let written = linux.write(tail as usize, &[0xee; 16]);
    assert_eq!(written.is_err(), R::IS_HERE, "{written:?}");
    let at = text(&mut linux, "/usr/share/x/large");
    assert_eq!(call(&mut linux, Shim::Sum, at, 0), Ok(sum(&bytes(3_000_001))));
}

fn what_cannot_be_given_is_said<R: World>() {
    let error = |options: &Options| match R::load(&description(), options) {
        Err(Error::Load(text)) => text.as_str().to_owned(),
        other => panic!("an error was expected, but {other:?}"),
    };
    for (path, source, said) in [
        ("relative", FileSource::from(b""), "absolute"),
        ("/a/../b", FileSource::from(b""), ".."),
        ("/", FileSource::from(b""), "root"),
        ("/a", FileSource::Path("/not/there".into()), "/not/there: No such file"),
        ("/a", FileSource::Directory("/not/there".into()), "/not/there: No such file"),
    ] {
        let mut options = Options::default();
        options.files = vec![(path.into(), source)];
        let text = error(&options);
        assert!(text.contains(said), "{path}: {text}");
    }
    for name in ["LD_PRELOAD", "GLIBC_TUNABLES", "", "A=B"] {
        let mut options = Options::default();
        options.environment = vec![(name.into(), "x".into())];
        assert!(error(&options).contains("environment") || error(&options).contains(name));
    }
}

fn the_environment_is_what_the_user_sets<R: World>() {
    let mut options = Options::default();
    options.environment = vec![("ONE".into(), "1".into()), ("LONG".into(), "x".repeat(3000))];
    let mut linux = start::<R>(&options);
    let into = room(&linux) as u64;
    for (name, expected) in [("ONE", Some("1")), ("PATH", None), ("HOME", None)] {
        let at = text(&mut linux, name);
        let found = call(&mut linux, Shim::Environment, at, into);
        assert_eq!(found, Ok(u64::from(expected.is_some())), "{name}");
        let mut value = vec![0; expected.unwrap_or_default().len()];
        linux.window().read(into as usize, &mut value).expect("in the window");
        assert_eq!(value, expected.unwrap_or_default().as_bytes());
    }
    let at = text(&mut linux, "LONG");
    assert_eq!(call(&mut linux, Shim::Environment, at, into), Ok(1));
    assert_eq!(read_word(&linux, into as usize + 2992), u64::from_ne_bytes(*b"xxxxxxxx"));
}

fn runs_can_be_alike<R: World>() {
    let mut options = Options::default();
    options.clock = Some(Duration::from_secs(1_000_000_000));
    options.seed = Some([7; 32]);
    let (mut one, mut two) = (start::<R>(&options), start::<R>(&options));
    let mut draws = Vec::new();
    for linux in [&mut one, &mut two] {
        for _ in 0..2 {
            assert_eq!(clock(linux, libc::CLOCK_REALTIME), 1_000_000_000_000_000_000);
            let at = room(linux);
            assert_eq!(ask(linux, Sysno::getrandom, &[at as u64, 64, 0]), Ok(64));
            draws.push((0..8).map(|index| read_word(linux, at + 8 * index)).collect::<Vec<_>>());
            linux.reset().expect("a reset");
        }
    }
    assert!(draws.iter().all(|draw| *draw == draws[0]), "{draws:?}");
    // The keystream of RFC 8439's function with that key: nonce 0, block 1.
    assert_eq!(draws[0][0], FIRST_DRAW, "{:#x}", draws[0][0]);
}

/// By an independent implementation: `openssl enc -chacha20 -K 0707… -iv 0100000000000000…`.
const FIRST_DRAW: u64 = 0xfd04_6b60_0c29_8437;

fn strictness_ends_calls_for_what_is_not_there<R: World>() {
    let mut options = Options::default();
    options.strict = true;
    let mut linux = start::<R>(&options);
    let at = text(&mut linux, "/dev/null");
    assert_eq!(ask(&mut linux, Sysno::access, &[at, 0]), Ok(0));
    assert_eq!(ask(&mut linux, Sysno::close, &[77]), Ok(failed(libc::EBADF)), "a mistake");
    let at = text(&mut linux, "/etc/passwd");
    let ended = ask(&mut linux, Sysno::open, &[at, 0]);
    assert!(matches!(ended, Err(Error::SyscallDenied { name: "open", .. })), "{ended:?}");
    let requests = linux.requests().expect("requests");
    assert!(requests.iter().any(|request| request.path.as_str() == "/etc/passwd"), "{requests:?}");
}

fn what_was_asked_and_not_there_is_told<R: World>() {
    let mut linux = fresh::<R>();
    for _ in 0..3 {
        open(&mut linux, "/etc/some\u{1b}.conf", libc::O_RDONLY);
    }
    open(&mut linux, "/etc/other", libc::O_RDONLY);
    let requests = linux.requests().expect("requests");
    let opened: Vec<_> = requests
        .iter()
        .filter(|request| request.system_call == "open")
        .map(|request| (request.path.as_str(), request.error, request.count))
        .collect();
    assert_eq!(opened, [("/etc/some\\u{1b}.conf", 2, 3), ("/etc/other", 2, 1)]);
    linux.reset().expect("a reset");
    let left = linux.requests().expect("requests");
    assert!(left.iter().all(|request| request.system_call != "open"), "{left:?}");
}

fn what_was_written_can_be_read_also_after_the_end<R: World>() {
    let mut linux = fresh::<R>();
    call(&mut linux, Shim::Say, 1, 0).expect("it says so");
    let ended = call(&mut linux, Shim::Say, 2, 1);
    match ended {
        Err(Error::Fault(fault)) => {
            assert_eq!(fault.kind, FaultKind::Abort);
            let words = r"after it wrote: line 1 \u{1b}[31m of stream 2";
            assert!(fault.place.as_str().ends_with(words), "{}", fault.place);
        }
        other => panic!("an abort was expected, but {other:?}"),
    }
    let said = linux.output().expect("what it said");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines, [r"line 1 \u{1b}[31m of stream 1", r"line 1 \u{1b}[31m of stream 2"]);
    // No more than the ring holds, whole lines.
    let mut linux = fresh::<R>();
    for _ in 0..1000 {
        call(&mut linux, Shim::Say, 2, 0).expect("it says so");
    }
    let said = linux.output().expect("what it said");
    assert!(said.len() > 4096 && said.lines().all(|line| line == lines[1]), "{said}");
}

/// A library that asks and speaks while it is loaded.
fn born<R: World>() -> Session<R> {
    let description = Description {
        name: "born",
        image: image_of_both("born.c", &[], &[]),
        shims: 3,
        ..description()
    };
    let mut options = Options::default();
    options.start_timeout = Duration::from_secs(300);
    let library = R::load(&description, &options);
    Session::new(library.expect("the library loads"))
}

/// Although a constructor has asked for the time before.
fn the_first_call_in_each_life_has_its_own_time<R: World>() {
    const NOW: u32 = 2;
    let mut linux = born::<R>();
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(20));
        let before = now() / 1_000_000 * 1_000_000;
        let entry = linux.runtime().shim(NOW).expect("a shim");
        let (frame, _) = linux.runtime().exchange();
        assert_eq!(linux.enter(entry, frame), Ok(Event::Returned));
        let told = read_word(&linux, frame) * 1_000_000_000 + read_word(&linux, frame + 8);
        assert!((before..=now()).contains(&told), "{told} {before}");
        linux.reset().expect("a reset");
    }
}

/// Each life has what a constructor asked for and wrote.
fn a_constructors_requests_and_words_are_known<R: World>() {
    let mut linux = born::<R>();
    for _ in 0..2 {
        let requests = linux.requests().expect("requests");
        let asked = requests.iter().find(|request| request.system_call == "statfs");
        assert_eq!(asked.map(|asked| asked.path.as_str()), Some("/not/there"), "{requests:?}");
        assert_eq!(linux.output().as_deref(), Ok("made\n"));
        linux.reset().expect("a reset");
    }
}

/// A library can change what the server knows, and only deceives itself.
fn a_server_that_was_changed_harms_nobody_else<R: World>() {
    let (_host, options) = with_files();
    let mut linux = start::<R>(&options);
    for wrong in [Some(8), Some(1 << 46), Some(1 << 62), Some(u64::MAX), None] {
        let tree = linux.control() + 0x1008; // `tree` of `struct world`
        let wrong = wrong.unwrap_or(words(&linux) as u64);
        linux.write(words(&linux), &[0xff; 4096]).expect("there is room");
        linux.write(tree, &wrong.to_ne_bytes()).expect("in the window");
        let at = text(&mut linux, "/etc/small.conf");
        let outcome = ask(&mut linux, Sysno::open, &[at, 0]);
        assert!(matches!(outcome, Ok(..0) | Err(Error::Fault(_))), "{wrong:#x}: {outcome:?}");
        linux.reset().expect("a reset");
        let at = text(&mut linux, "/etc/small.conf");
        assert_eq!(call(&mut linux, Shim::Sum, at, 0), Ok(sum(b"a = 1\n")), "another life");
    }
}

/// What the server does is the library's time.
fn time_in_the_server_counts<R: World>() {
    let mut options = Options::default();
    options.timeout = Some(Duration::from_millis(100));
    let mut linux = start::<R>(&options);
    for (call_, arguments) in [
        (Sysno::getpid, [0; 3]),
        (Sysno::getrandom, [(room(&linux) + 65536) as u64, 1 << 20, 0]),
        (Sysno::mmap, [0, 0, 0]),
    ] {
        let mut bytes = (call_ as u64).to_ne_bytes().to_vec();
        bytes.extend(arguments.iter().flat_map(|argument: &u64| argument.to_ne_bytes()));
        let at = words(&linux);
        linux.write(at, &bytes).expect("there is room");
        let outcome = call(&mut linux, Shim::Again, at as u64, 0);
        assert_eq!(outcome, Err(Error::Timeout { limit: Duration::from_millis(100) }), "{call_}");
        linux.reset().expect("a reset");
        assert_eq!(ask(&mut linux, Sysno::getpid, &[]), Ok(2));
    }
}

/// Threads and memory for code are a process's.
fn what_only_a_process_has_is_refused<R: World>() {
    for permission in [Permission::Threads(1), Permission::ExecutableMemory] {
        let mut options = Options::default();
        options.allow = permission.into();
        match R::load(&description(), &options) {
            Ok(_) => assert!(!R::IS_HERE),
            Err(Error::Unsupported { .. }) => assert!(R::IS_HERE),
            other => panic!("it should be refused, but {other:?}"),
        }
    }
}

on_every_runtime! {
    an_answered_call_changes_no_register_but_three
    the_policy_is_what_the_server_does
    who_and_where_are_the_same_everywhere
    a_pointer_to_nothing_is_an_error_as_the_kernels
    nothing_is_there_but_a_few_devices
    nobody_can_start_a_thread_but_may_try
    there_are_no_pipes_and_no_file_is_a_socket
    a_denied_call_says_who_asked_and_for_what
    a_library_has_a_tmp_of_its_own_if_it_is_given_one
    plugins_are_loaded_from_a_directory_and_nothing_else_is
    lines_are_handed_on_after_the_call_that_wrote_them
    output_that_cannot_be_is_none
    a_denied_call_on_a_broken_stack_is_reported_all_the_same
    no_handler_of_the_librarys_is_ever_called
    the_time_is_when_the_call_began_to_the_millisecond
    sleeping_moves_the_clock_and_takes_no_time
    random_numbers_are_others_in_each_life_and_each_draw
    memory_that_is_freed_is_given_back
    memory_is_never_executable
    files_that_are_given_are_there_in_each_life
    an_instance_has_the_files_that_it_read_in_each_life
    a_descriptor_of_the_output_is_no_directory
    a_file_that_is_mapped_to_be_read_is_not_copied_and_the_host_sees_it
    what_cannot_be_given_is_said
    the_environment_is_what_the_user_sets
    runs_can_be_alike
    strictness_ends_calls_for_what_is_not_there
    what_was_asked_and_not_there_is_told
    what_was_written_can_be_read_also_after_the_end
    a_constructors_requests_and_words_are_known
    the_first_call_in_each_life_has_its_own_time
    a_server_that_was_changed_harms_nobody_else
    time_in_the_server_counts
    what_only_a_process_has_is_refused
}

// No library is loaded there, and what stands for a system call needs a stack.
as_verified_code! {
    an_answered_call_changes_no_register_but_three
    the_policy_is_what_the_server_does
    who_and_where_are_the_same_everywhere
    a_pointer_to_nothing_is_an_error_as_the_kernels
    nothing_is_there_but_a_few_devices
    nobody_can_start_a_thread_but_may_try
    there_are_no_pipes_and_no_file_is_a_socket
    a_denied_call_says_who_asked_and_for_what
    a_library_has_a_tmp_of_its_own_if_it_is_given_one
    lines_are_handed_on_after_the_call_that_wrote_them
    output_that_cannot_be_is_none
    no_handler_of_the_librarys_is_ever_called
    the_time_is_when_the_call_began_to_the_millisecond
    sleeping_moves_the_clock_and_takes_no_time
    random_numbers_are_others_in_each_life_and_each_draw
    memory_that_is_freed_is_given_back
    memory_is_never_executable
    files_that_are_given_are_there_in_each_life
    an_instance_has_the_files_that_it_read_in_each_life
    a_descriptor_of_the_output_is_no_directory
    a_file_that_is_mapped_to_be_read_is_not_copied_and_the_host_sees_it
    what_cannot_be_given_is_said
    the_environment_is_what_the_user_sets
    runs_can_be_alike
    strictness_ends_calls_for_what_is_not_there
    what_was_asked_and_not_there_is_told
    what_was_written_can_be_read_also_after_the_end
    a_constructors_requests_and_words_are_known
    the_first_call_in_each_life_has_its_own_time
    a_server_that_was_changed_harms_nobody_else
    time_in_the_server_counts
    what_only_a_process_has_is_refused
}

/// What the server asks the host for where that runs the library itself, any code can ask for:
/// `enum ask` of `worker/control.h`.
mod here {
    use super::*;

    const DENY: u64 = 0x0f00_0001;
    const TAKE_BACK: u64 = 0x0f00_0002;

    fn anyone_can_have_a_call_denied<R: World>() {
        let mut linux = fresh::<R>();
        for (number, name) in
            [(41, "socket"), (41 | 1 << 32, "socket"), (u64::MAX, "unknown"), (0, "read")]
        {
            for (place, stack) in [(0, 0), (1 << 46, 8), (u64::MAX, 1), (u64::MAX, u64::MAX - 8)] {
                match ask_number(&mut linux, DENY, &[number, place, stack]) {
                    Err(Error::SyscallDenied { name: said, number: told, .. }) => {
                        assert_eq!((said, told), (name, number & u64::from(u32::MAX)));
                    }
                    other => panic!("the call should be denied, but {other:?}"),
                }
                linux.reset().expect("a reset");
            }
        }
    }

    /// Memory becomes zero that the server gives out, and no other.
    fn only_memory_that_is_given_out_is_taken_back<R: World>() {
        let (_host, options) = with_files();
        let mut linux = start::<R>(&options);
        let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let (start, len) = (linux.window().start() as u64, linux.window().len() as u64);
        let code = linux.shim(2).expect("a shim") as u64 & !4095;
        let file = open(&mut linux, "/usr/share/x/large", libc::O_RDONLY).cast_unsigned();
        let file = [0, 8192, 1, libc::MAP_PRIVATE as u64, file, 0];
        let file = ask(&mut linux, Sysno::mmap, &file).expect("an answer").cast_unsigned();
        let heap = [0, 8192, 3, private, u64::MAX, 0];
        let heap = ask(&mut linux, Sysno::mmap, &heap).expect("an answer").cast_unsigned();
        linux.write(heap as usize, &[1; 8192]).expect("in the window");
        for (place, size) in [
            (start + 0x3000, 4096),
            (start, len),
            ((words(&linux) as u64 + 65536) & !4095, 4096),
            (code, 4096),
            (file, 4096),
            (start + len - 4096, 8192),
            (heap, 0),
            (heap, 100),
            (heap + 8, 4096),
            (heap, u64::MAX - 4095),
            (heap, len),
            (0, 4096),
            (u64::MAX - 4095, 4096),
            (&raw const CANARY as u64 & !4095, 4096),
        ] {
            let mut before = [0; 4096];
            let is_inside = linux.window().read(place as usize, &mut before).is_ok();
            let outcome = ask_number(&mut linux, TAKE_BACK, &[place, size]);
            assert_eq!(outcome, Ok(failed(libc::EINVAL)), "{place:#x} {size:#x}");
            let mut after = [0; 4096];
            let _ = linux.window().read(place as usize, &mut after);
            // The first page has the registers that the gate loads.
            assert!(!is_inside || place == start || before == after, "{place:#x}");
        }
        assert_eq!(CANARY.load(Ordering::Relaxed), 7);
        assert_eq!(ask_number(&mut linux, TAKE_BACK, &[heap, 4096]), Ok(4096));
        assert_eq!(read_word(&linux, heap as usize), 0);
        assert_eq!(read_word(&linux, heap as usize + 4096), 0x0101_0101_0101_0101);
    }

    static CANARY: AtomicU64 = AtomicU64::new(7);

    /// A forked child has no domain, and is told so.
    fn a_child_has_no_requests<R: World>() {
        let linux = fresh::<R>();
        // SAFETY: the child asks, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let told =
                linux.requests() == Err(Error::Forked) && linux.output() == Err(Error::Forked);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!told)) };
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }

    /// The host's signals reach its handlers also while the server answers, and lose nothing.
    fn signals_come_in_the_midst_of_answers<R: World>() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        extern "C" fn count(_: i32) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        let mut linux = fresh::<R>();
        // SAFETY: the handler counts.
        unsafe { libc::signal(libc::SIGUSR1, count as *const () as usize) };
        // SAFETY: this thread, which lives until the other one has ended.
        let thread = unsafe { libc::pthread_self() };
        let is_over = AtomicBool::new(false);
        let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let begin = COUNT.load(Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    // SAFETY: as above.
                    unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
                    thread::sleep(Duration::from_micros(200));
                }
            });
            let until = Instant::now() + Duration::from_millis(300);
            while Instant::now() < until || COUNT.load(Ordering::Relaxed) < begin + 50 {
                let arguments = [0, 1 << 20, 3, private, u64::MAX, 0];
                let page = ask(&mut linux, Sysno::mmap, &arguments).expect("an answer");
                assert!(page > 0, "{page}");
                let arguments = [page.cast_unsigned(), 1 << 20];
                assert_eq!(ask(&mut linux, Sysno::munmap, &arguments), Ok(0));
                assert_eq!(ask(&mut linux, Sysno::getppid, &[]), Ok(1));
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    in_this_process! {
        anyone_can_have_a_call_denied
        only_memory_that_is_given_out_is_taken_back
        a_child_has_no_requests
        signals_come_in_the_midst_of_answers
    }

    as_verified_code! {
        anyone_can_have_a_call_denied
        only_memory_that_is_given_out_is_taken_back
        a_child_has_no_requests
        signals_come_in_the_midst_of_answers
    }
}
