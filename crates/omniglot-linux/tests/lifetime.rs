//! Beginnings and ends: of instances, threads, workers and hosts.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]
#![allow(unsafe_code)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Error, Reply, Session};
use support::{Shim, call, enter, start};

/// Says which part a copy of this test plays; see [`helper`].
const PART: &str = "OMNIGLOT_TEST_PART";

/// A command that runs a part in a process of its own.
fn part_of(program: &Path, part: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", "helper", "--nocapture", "--test-threads=1"]).env(PART, part);
    command
}

fn run(part: &str) {
    let program = std::env::current_exe().expect("this test");
    let output = part_of(&program, part).output().expect("a copy of this test");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{part}: {text}");
}

/// Not a test by itself: plays the part that the variable names.
#[test]
fn helper() {
    match std::env::var(PART).as_deref() {
        Ok("leaks") => leaks(),
        Ok("idle") => idle(),
        Ok("ignored children") => ignored_children(),
        Ok("thief") => thief(),
        Ok("host") => host(),
        Ok("user") => all_kinds_of_ends(),
        Ok("fork while idle") => fork_while_idle(),
        Ok("fork in a callback") => fork_in_callback(),
        Ok("limits") => limited_address_space(),
        Ok("blocked signals") => blocked_signals(),
        Ok("closed streams") => closed_streams(),
        Ok("stderr") => standard_error_is_for_writing(),
        _ => {}
    }
}

fn count_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("own descriptors").count()
}

fn count_mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .expect("own mappings")
        .lines()
        .filter(|line| line.contains("omniglot"))
        .count()
}

fn children() -> String {
    let tasks = fs::read_dir("/proc/self/task").expect("own threads");
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok()).collect()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("own status");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn make_and_use() {
    let mut linux = start::<omniglot_linux::Process>();
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

fn leaks() {
    for _ in 0..20 {
        make_and_use();
    }
    let before = (count_descriptors(), count_mappings(), children());
    let resident = resident_kib();
    for _ in 0..support::OFTEN {
        make_and_use();
    }
    assert_eq!((count_descriptors(), count_mappings(), children()), before);
    let grown = resident_kib().saturating_sub(resident);
    assert!(grown < 2048, "{grown} KiB more are resident");
}

#[test]
fn nothing_is_left_of_a_thousand_instances() {
    run("leaks");
}

/// Process group and session of a process: proc_pid_stat(5).
fn group_and_session(process: &str) -> (String, String) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("its state");
    let after = stat.rsplit(") ").next().expect("what follows the name");
    let mut fields = after.split(' ').skip(2).map(str::to_owned);
    (fields.next().expect("a group"), fields.next().expect("a session"))
}

/// Signals to the host's group do not reach it; but it waits for processors as the host does,
/// and not as a session of its own.
#[test]
fn a_worker_has_its_own_group_in_the_hosts_session() {
    let linux = start::<omniglot_linux::Process>();
    let worker = linux.process_id().to_string();
    let (group, session) = group_and_session(&worker);
    assert_eq!((group, session), (worker.clone(), group_and_session("self").1));
    let autogroup = |process: &str| fs::read_to_string(format!("/proc/{process}/autogroup")).ok();
    assert_eq!(autogroup(&worker), autogroup("self"));
}

/// Nanoseconds of processor time of all threads of a process.
fn processor_time(process: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("threads");
    let times = tasks.map(|task| {
        let schedule = fs::read_to_string(task.expect("a thread").path().join("schedstat"))
            .expect("its times");
        schedule.split(' ').next().and_then(|time| time.parse::<u64>().ok()).expect("a number")
    });
    times.sum()
}

fn idle() {
    let mut linux = start::<omniglot_linux::Process>();
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
    let worker = linux.process_id().to_string();
    let before = (processor_time("self"), processor_time(&worker));
    thread::sleep(Duration::from_secs(5));
    let after = (processor_time("self"), processor_time(&worker));
    let limit = 10_000_000;
    assert!(after.0 - before.0 <= limit && after.1 - before.1 <= limit, "{before:?} to {after:?}");
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

#[test]
#[cfg_attr(embedded_sample, ignore = "an emulated processor's time is mostly the emulator's")]
fn an_idle_instance_uses_no_processor() {
    run("idle");
}

/// Ends workers in every way; none may hang or be taken for another.
fn all_kinds_of_ends() {
    for _ in 0..5 {
        make_and_use();
        assert!(matches!(
            call(&mut start::<omniglot_linux::Process>(), Shim::Null, 0, 0),
            Err(Error::Fault(_))
        ));
        assert!(matches!(
            call(&mut start::<omniglot_linux::Process>(), Shim::Exit, 7, 0),
            Err(Error::Exited { .. })
        ));
        assert!(matches!(
            call(&mut start::<omniglot_linux::Process>(), Shim::QuickExit, 7, 0),
            Err(Error::Exited { .. })
        ));
        assert!(matches!(
            call(&mut start::<omniglot_linux::Process>(), Shim::Execve, 0, 0),
            Err(Error::SyscallDenied { .. })
        ));
    }
}

fn ignored_children() {
    let sample = support::sample();
    assert!(!sample.image.is_empty());
    // SAFETY: no handler is installed, so no code runs in signal context.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    all_kinds_of_ends();
}

#[test]
fn ignored_children_do_no_harm() {
    run("ignored children");
}

fn thief() {
    let sample = support::sample();
    assert!(!sample.image.is_empty());
    thread::spawn(|| {
        loop {
            // SAFETY: a null status is allowed; see waitpid(2).
            let taken = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
            if taken < 0 {
                thread::yield_now();
            }
        }
    });
    all_kinds_of_ends();
}

#[test]
fn a_host_that_waits_for_any_child_does_no_harm() {
    run("thief");
}

fn host() {
    let linux = start::<omniglot_linux::Process>();
    println!("worker {}", linux.process_id());
    loop {
        thread::park();
    }
}

/// Whether the process runs; one that nobody collects yet does not.
fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z') && !rest.starts_with('X'))
}

#[test]
fn a_worker_dies_with_its_host() {
    let program = std::env::current_exe().expect("this test");
    let mut host = part_of(&program, "host").stdout(Stdio::piped()).spawn().expect("a host");
    let mut lines =
        BufReader::new(host.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let worker = lines
        .find_map(|line| Some(line.split_once("worker ")?.1.to_owned()))
        .expect("a process id");
    assert!(runs(&worker));
    host.kill().expect("SIGKILL");
    host.wait().expect("dead");
    let begin = Instant::now();
    while runs(&worker) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the worker {worker} outlives its host");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn eight_instances_work_at_once_in_eight_threads() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                // Made on a thread that has ended when the instance is used.
                let mut linux =
                    thread::spawn(start::<omniglot_linux::Process>).join().expect("an instance");
                for round in 0..500 {
                    assert_eq!(call(&mut linux, Shim::Add, round, number), Ok(round + number));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("a good end"));
}

/// Runs in a forked child; says what was wrong.
fn in_child(mut linux: Session<omniglot_linux::Process>) -> i32 {
    if call(&mut linux, Shim::Add, 1, 1) != Err(Error::Forked)
        || linux.resume(Reply::Return) != Err(Error::Forked)
    {
        return 1;
    }
    drop(linux);
    let Ok(own) =
        omniglot_linux::Process::start(&support::sample(), &omniglot_linux::Options::default())
    else {
        return 2;
    };
    if call(&mut Session::new(own), Shim::Add, 1, 1) == Ok(2) { 0 } else { 3 }
}

/// In a process of its own, since locks that other tests hold stay locked in a child.
fn fork_while_idle() {
    let mut linux = start::<omniglot_linux::Process>();
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
    // SAFETY: glibc makes memory allocation and threads usable in the child, and no
    // other thread of this process is in the midst of anything.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let code = in_child(linux);
        // SAFETY: ends the child without running the test harness a second time.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child's verdict");
    assert_eq!(call(&mut linux, Shim::Add, 2, 2), Ok(4));
}

#[test]
fn a_forked_child_leaves_the_instance_alone() {
    run("fork while idle");
}

fn fork_in_callback() {
    let mut linux = start::<omniglot_linux::Process>();
    enter(&mut linux, Shim::CallBack, 0, 0, 1).expect("a call");
    // SAFETY: the child ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child without unwinding or destructors.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: a null status is allowed; see waitpid(2).
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    assert!(linux.resume(Reply::Return).is_ok());
}

#[test]
fn an_open_call_survives_a_fork_of_the_host() {
    run("fork in a callback");
}

/// Copies this test and the sample library where anybody may run them.
fn copy_for_everybody() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("readable");
    fs::copy(std::env::current_exe().expect("this test"), directory.path().join("test"))
        .expect("copied");
    let image = directory.path().join("image.so");
    fs::write(&image, support::sample().image).expect("written");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o644)).expect("readable");
    directory
}

#[test]
fn an_ordinary_user_can_do_all_this() {
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return; // then every test runs as an ordinary user
    }
    let directory = copy_for_everybody();
    // Of root, this gives up all further groups, too.
    let output = part_of(&directory.path().join("test"), "user")
        .uid(65534)
        .gid(65534)
        .env(support::IMAGE, directory.path().join("image.so"))
        .current_dir("/")
        .output()
        .expect("a copy of this test");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn limited_address_space() {
    let sample = support::sample();
    let limit = libc::rlimit { rlim_cur: 16 << 30, rlim_max: 16 << 30 };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let refused = omniglot_linux::Process::start(&sample, &omniglot_linux::Options::default());
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn a_limited_address_space_is_named() {
    run("limits");
}

fn blocked_signals() {
    // SAFETY: an all-zero set is a value of the type.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `all` outlives the call.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: `all` outlives the call, and a null pointer for the old set is allowed.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
    assert_eq!(blocked, 0);
    match call(&mut start::<omniglot_linux::Process>(), Shim::Null, 0, 0) {
        Err(Error::Fault(fault)) => assert_eq!(fault.address, 8),
        other => panic!("a fault was expected, but {other:?}"),
    }
    let denied = call(&mut start::<omniglot_linux::Process>(), Shim::Execve, 0, 0);
    assert!(matches!(denied, Err(Error::SyscallDenied { name: "execve", .. })), "{denied:?}");
}

#[test]
fn signals_that_the_host_blocks_are_reported() {
    run("blocked signals");
}

fn closed_streams() {
    let sample = support::sample();
    assert!(!sample.image.is_empty());
    for stream in 0..3 {
        // SAFETY: nothing in this process owns the standard streams.
        assert_eq!(unsafe { libc::close(stream) }, 0);
    }
    make_and_use();
    make_and_use();
    let mut options = omniglot_linux::Options::default();
    options.allow = omniglot_linux::Permissions::default().with(omniglot_linux::Permission::Stderr);
    let mut linux = support::start_with::<omniglot_linux::Process>(&options);
    assert_eq!(call(&mut linux, Shim::Print, 2, 0), Ok(13), "written to nowhere");
}

#[test]
fn a_host_without_standard_streams_can_start_workers() {
    run("closed streams");
}

/// How a constructor ends that may write to standard error.
fn with_stderr(code: &str) -> Option<i32> {
    let mut options = omniglot_linux::Options::default();
    options.allow = omniglot_linux::Permissions::default().with(omniglot_linux::Permission::Stderr);
    let description = support::sample_with(&[&format!("-DCONSTRUCTOR={code}")]);
    match omniglot_linux::Process::start(&description, &options) {
        Err(Error::Exited { status }) => status,
        other => panic!("an exit was expected, but {other:?}"),
    }
}

/// What constructors get that use `file` as their standard error in these ways: 76 if
/// one was not refused, 77 if all were and writing works.
fn uses_of_stderr(file: impl std::os::fd::AsFd, uses: &[&str]) -> Vec<Option<i32>> {
    let file = std::os::fd::AsRawFd::as_raw_fd(&file.as_fd());
    // SAFETY: nothing in this process owns standard error.
    let real = unsafe { libc::dup(2) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::dup2(file, 2) }, 2);
    let statuses = uses.iter().map(|used| {
        with_stderr(&format!("char b[9];exit(({used})?76:write(2,\"hello\",5)==5?77:78)"))
    });
    let statuses = statuses.collect();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::dup2(real, 2) }, 2);
    statuses
}

fn standard_error_is_for_writing() {
    let mut log = tempfile::tempfile().expect("a file");
    log.write_all(b"the host's line\n").expect("written");
    let uses = [
        "lseek(2,0,SEEK_SET)>=0",
        "pread(2,b,9,0)>=0",
        "read(2,b,9)>=0",
        "syscall(SYS_read,0x100000002,b,9)>=0",
        "syscall(SYS_getdents64,2,b,9)>=0",
        "mmap(0,4096,PROT_READ|PROT_WRITE,MAP_SHARED,2,0)!=MAP_FAILED",
        "open(\"/proc/self/fd/2\",O_RDONLY)>=0",
    ];
    assert_eq!(uses_of_stderr(&log, &uses), [Some(77); 7], "of a file");

    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"the host's line\n").expect("written");
    let uses = ["open(\"/proc/self/fd/2\",O_RDONLY)>=0", "open(\"/dev/stderr\",O_RDONLY)>=0"];
    assert_eq!(uses_of_stderr(&writer, &uses), [Some(77); 2], "of a pipe");
}

#[test]
#[cfg_attr(embedded_sample, ignore = "it compiles libraries, and a guest has no compiler")]
fn permission_for_standard_error_is_for_writing() {
    run("stderr");
}
