//! What the system-call server in a worker's domain answers: the small world that a library
//! finds itself in.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omniglot_core::{Description, Error, Event, FaultKind, Result, Runtime, Session};
use omniglot_linux::{Options, Process, SyscallPolicy};
use support::{image, read_word, result, write_frame};
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
}

fn description() -> Description {
    static WORLD: OnceLock<Description> = OnceLock::new();
    *WORLD.get_or_init(|| Description {
        name: "world",
        image: image("world.c", &[]),
        shims: 11,
        slots: 0,
        functions: &["malloc", "free"],
    })
}

fn start(options: &Options) -> Session<Process> {
    let mut options = options.clone();
    options.start_timeout = Duration::from_secs(300);
    Session::new(Process::start(&description(), &options).expect("the library loads"))
}

fn fresh() -> Session<Process> {
    start(&Options::default())
}

fn call(linux: &mut Session<Process>, shim: Shim, a: u64, b: u64) -> Result<u64> {
    let frame = write_frame(linux, 0, a, b);
    let entry = linux.shim(shim as u32).expect("a shim");
    match linux.enter(entry, frame)? {
        Event::Returned => Ok(result(linux, 0)),
        callback => panic!("no callback was expected, but {callback:?}"),
    }
}

/// Where the words of system calls are written, and behind them what they point to.
fn words(linux: &Session<Process>) -> usize {
    linux.exchange().0 + 4096
}

fn room(linux: &Session<Process>) -> usize {
    words(linux) + 4096
}

/// Makes one system call.
fn ask(linux: &mut Session<Process>, call_: Sysno, arguments: &[u64]) -> Result<i64> {
    ask_number(linux, call_ as u64, arguments)
}

fn ask_number(linux: &mut Session<Process>, number: u64, arguments: &[u64]) -> Result<i64> {
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

fn text(linux: &mut Session<Process>, path: &str) -> u64 {
    let at = room(linux) + 8192;
    linux.write(at, path.as_bytes()).expect("there is room");
    linux.write(at + path.len(), &[0]).expect("there is room");
    at as u64
}

#[test]
fn an_answered_call_changes_no_register_but_three() {
    assert_eq!(call(&mut fresh(), Shim::Registers, 0, 0), Ok(0));
}

/// What the host says of calls is what the server does.
#[test]
fn the_policy_is_what_the_server_does() {
    let mut linux = fresh();
    for call in Sysno::iter() {
        if [Sysno::exit_group, Sysno::rt_sigreturn, Sysno::uprobe, Sysno::uretprobe].contains(&call)
        {
            continue;
        }
        let outcome = ask(&mut linux, call, &[]);
        let expected = match SyscallPolicy::of(call.name()) {
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

#[test]
fn who_and_where_are_the_same_everywhere() {
    let mut linux = fresh();
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
    assert_eq!(read_word(&linux, at as usize + 32), 4 << 30, "all memory is the window");
}

#[test]
fn a_pointer_to_nothing_is_an_error_as_the_kernels() {
    let mut linux = fresh();
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

#[test]
fn nothing_is_there_but_a_few_devices() {
    let mut linux = fresh();
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

#[test]
fn nobody_can_start_a_thread_but_may_try() {
    let mut linux = fresh();
    assert_eq!(call(&mut linux, Shim::Thread, 0, 0), Ok(libc::EAGAIN as u64));
    assert_eq!(call(&mut linux, Shim::Thread, 0, 0), Ok(libc::EAGAIN as u64));
    let ended = ask(&mut linux, Sysno::clone, &[libc::SIGCHLD as u64]);
    assert!(matches!(ended, Err(Error::SyscallDenied { name: "clone", .. })), "{ended:?}");
}

#[test]
fn no_handler_of_the_librarys_is_ever_called() {
    match call(&mut fresh(), Shim::Handler, 0, 0) {
        Err(Error::Fault(fault)) => assert_eq!((fault.kind, fault.address), (FaultKind::Access, 8)),
        other => panic!("a fault was expected, but {other:?}"),
    }
}

/// Nanoseconds, by a clock of the library's.
fn clock(linux: &mut Session<Process>, id: i32) -> u64 {
    let at = room(linux);
    assert_eq!(ask(linux, Sysno::clock_gettime, &[id as u64, at as u64]), Ok(0));
    read_word(linux, at) * 1_000_000_000 + read_word(linux, at + 8)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_nanos()).expect("before 2554")
}

#[test]
fn the_time_is_when_the_call_began_to_the_millisecond() {
    const TICK: u64 = 10_000_000; // the longest that kernels have
    let mut linux = fresh();
    for _ in 0..50 {
        let before = now();
        let told = clock(&mut linux, libc::CLOCK_REALTIME);
        assert!(
            told.is_multiple_of(1_000_000) && told + TICK + 1_000_000 >= before && told <= now(),
            "{told} {before}"
        );
    }
}

#[test]
fn sleeping_moves_the_clock_and_takes_no_time() {
    const YEAR: u64 = 365 * 86400;
    let mut linux = fresh();
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

#[test]
fn random_numbers_are_others_in_each_life_and_each_draw() {
    let mut linux = fresh();
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

/// Bytes of a worker's memory that are in use.
fn resident(linux: &Session<Process>) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{}/statm", linux.process_id())).expect("statm");
    let pages = statm.split(' ').nth(1).expect("a number").parse::<u64>().expect("a number");
    pages * 4096
}

#[test]
fn memory_that_is_freed_is_given_back() {
    const BLOCK: u64 = 8 << 20;
    let mut linux = fresh();
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

#[test]
fn memory_is_never_executable() {
    let mut linux = fresh();
    let all = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as u64;
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let refused = ask(&mut linux, Sysno::mmap, &[0, 4096, all, private, u64::MAX, 0]);
    assert_eq!(refused, Ok(failed(libc::EACCES)));
    let page = ask(&mut linux, Sysno::mmap, &[0, 4096, 3, private, u64::MAX, 0]).expect("a page");
    assert!(page > 0, "{page}");
    let refused = ask(&mut linux, Sysno::mprotect, &[page.cast_unsigned(), 4096, all]);
    assert_eq!(refused, Ok(failed(libc::EACCES)));
}
