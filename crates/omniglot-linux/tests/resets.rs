//! Resets and warm spares: what takes over, what is left, what can be in the way.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]
#![allow(unsafe_code)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use omniglot_core::{Cause, Error, Runtime, Session};
use omniglot_linux::{Options, Permission, Permissions, Process};
use support::{Shim, call, in_common, luck, sample_with, start, start_with};

/// Says which part a copy of this test plays; see [`helper`].
const PART: &str = "OMNIGLOT_TEST_PART";
/// How long to wait for what must come before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs a part in a process of its own.
fn part_of(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "helper", "--nocapture", "--test-threads=1"]).env(PART, part);
    command
}

fn run(part: &str) {
    let output = part_of(part).output().expect("a copy of this test");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{part}: {text}");
}

/// Not a test by itself: plays the part that the variable names.
#[test]
fn helper() {
    match std::env::var(PART).as_deref() {
        Ok("leaks") => leaks(),
        Ok("last instance") => spares_go_with_the_last_instance(),
        Ok("idle") => idle(),
        Ok("copies") => copies(),
        Ok("host") => host(),
        Ok("fork") => fork_with_spares(),
        Ok("files") => no_files_left(),
        Ok("processes") => no_processes_left(),
        Ok("addresses") => no_addresses_left(),
        Ok("killed") => killed_spares(),
        _ => {}
    }
}

fn children() -> BTreeSet<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("own threads");
    let lists =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter(|child| !child.is_empty())
        .collect()
}

/// How many threads look after spares.
fn helpers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("own threads");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "omniglot-spares").count()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("own descriptors").count()
}

fn windows() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("own mappings");
    maps.lines().filter(|line| line.contains("omniglot")).count()
}

/// What must come in the end, though another thread may still be at it.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(1));
    }
}

fn wait_for_spares(linux: &Session<Process>, count: usize) {
    wait_for("the spares", || linux.warm_spares() == count);
}

fn works(linux: &mut Session<Process>) {
    assert_eq!(call(linux, Shim::Add, 1, 1), Ok(2));
}

/// Resets; now with a spare that is ready, now without.
fn reset_often(linux: &mut Session<Process>, times: usize) {
    for round in 0..times {
        if round > 0 && round.is_multiple_of(8) {
            wait_for_spares(linux, 1);
        }
        linux.reset().expect("a reset");
        works(linux);
    }
}

fn leaks() {
    let mut linux = start::<omniglot_linux::Process>();
    reset_often(&mut linux, 20);
    drop(linux);
    wait_for("the end of all workers", || children().is_empty());
    wait_for("the end of the thread", || helpers() == 0);
    let before = (descriptors(), windows());
    let mut linux = start::<omniglot_linux::Process>();
    reset_often(&mut linux, support::OFTEN);
    assert!(children().len() <= 5, "its worker, a spare, one in the making, two dead ones");
    drop(linux);
    wait_for("the end of all workers", || children().is_empty());
    wait_for("the end of the thread", || helpers() == 0);
    assert_eq!((descriptors(), windows()), before);
}

#[test]
fn nothing_is_left_of_a_thousand_resets() {
    run("leaks");
}

fn spares_go_with_the_last_instance() {
    let (mut one, mut other) =
        (start::<omniglot_linux::Process>(), start::<omniglot_linux::Process>());
    one.reset().expect("a reset");
    other.reset().expect("a reset");
    wait_for_spares(&one, 1);
    wait_for("two workers and a spare", || children().len() == 3);
    assert_eq!(other.warm_spares(), 1, "the same spare");
    drop(one);
    assert_eq!(children().len(), 2);
    let before = other.process_id();
    other.reset().expect("a reset");
    assert_ne!(other.process_id(), before);
    drop(other);
    wait_for("the end of all workers", || children().is_empty());
}

/// A compiler may place copies of an image wherever a program names it.
fn copies() {
    let sample = support::sample();
    let copy = omniglot_core::Description { image: sample.image.to_vec().leak(), ..sample };
    let mut one = Session::new(Process::start(&sample, &Options::default()).expect("an instance"));
    let before = descriptors();
    let mut other = Session::new(Process::start(&copy, &Options::default()).expect("an instance"));
    one.reset().expect("a reset");
    wait_for_spares(&one, 1);
    other.reset().expect("a reset");
    wait_for_spares(&other, 1);
    assert_eq!(one.warm_spares(), 1, "the same spare");
    wait_for("the end of the thread", || helpers() == 0);
    drop((one, other));
    wait_for("the end of all workers", || children().is_empty());
    let one = Session::new(Process::start(&copy, &Options::default()).expect("an instance"));
    assert_eq!(descriptors(), before, "no file for each copy");
    drop(one);
}

#[test]
fn copies_of_an_image_are_one_library() {
    run("copies");
}

#[test]
fn spares_die_with_the_last_instance_of_their_kind() {
    run("last instance");
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

/// The state of a process: proc_pid_stat(5).
fn state(process: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    rest.split(' ').next().unwrap_or_default().to_owned()
}

fn idle() {
    let mut linux = start::<omniglot_linux::Process>();
    linux.reset().expect("a reset");
    works(&mut linux);
    wait_for_spares(&linux, 1);
    wait_for("the end of the thread", || helpers() == 0);
    let spares = || {
        let own = linux.process_id().to_string();
        children().into_iter().filter(move |child| *child != own)
    };
    // Whatever it would rather do.
    wait_for("a spare that stands still", || spares().all(|spare| state(&spare) == "T"));
    let all = || children().iter().map(|child| processor_time(child)).sum::<u64>();
    thread::sleep(Duration::from_millis(100));
    let before = all() + processor_time("self");
    thread::sleep(Duration::from_secs(3));
    let used = all() + processor_time("self") - before;
    assert!(used <= 10_000_000, "{used} ns");
}

#[test]
#[cfg_attr(embedded_sample, ignore = "an emulated processor's time is mostly the emulator's")]
fn spares_cost_nothing_while_they_wait() {
    run("idle");
}

fn host() {
    let mut linux = start::<omniglot_linux::Process>();
    linux.reset().expect("a reset");
    wait_for_spares(&linux, 1);
    wait_for("worker and spare", || children().len() == 2);
    println!("workers {}", children().into_iter().collect::<Vec<_>>().join(" "));
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
fn spares_die_with_their_host() {
    let mut host = part_of("host").stdout(Stdio::piped()).spawn().expect("a host");
    let mut lines =
        BufReader::new(host.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let workers = lines
        .find_map(|line| Some(line.split_once("workers ")?.1.to_owned()))
        .expect("process ids");
    assert!(workers.split(' ').all(runs), "{workers}");
    host.kill().expect("SIGKILL");
    host.wait().expect("dead");
    wait_for("their end", || !workers.split(' ').any(runs));
}

/// Runs in a forked child; says what was wrong.
fn in_child(mut linux: Session<Process>) -> i32 {
    if linux.reset() != Err(Error::Forked) {
        return 1;
    }
    drop(linux);
    let Ok(own) = Process::start(&support::sample(), &Options::default()) else {
        return 2;
    };
    let mut own = Session::new(own);
    if own.reset().is_err() || call(&mut own, Shim::Add, 1, 1) != Ok(2) {
        return 3;
    }
    0
}

fn fork_with_spares() {
    let mut linux = start::<omniglot_linux::Process>();
    linux.reset().expect("a reset");
    wait_for_spares(&linux, 1);
    wait_for("the end of the thread", || helpers() == 0 && children().len() == 2);
    let parents = children();
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
    assert_eq!(children(), parents, "the child ended none of them");
    assert_eq!(linux.warm_spares(), 1);
    let spare: Vec<_> =
        parents.iter().filter(|id| **id != linux.process_id().to_string()).collect();
    linux.reset().expect("a reset");
    assert_eq!([&linux.process_id().to_string()], spare[..], "the spare is the parent's");
    works(&mut linux);
}

#[test]
fn a_forked_child_leaves_the_spares_alone() {
    run("fork");
}

/// Runs something with a limit of the system (getrlimit(2)).
fn limited<T>(resource: libc::__rlimit_resource_t, limit: u64, run: impl FnOnce() -> T) -> T {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` outlives the call.
    assert_eq!(unsafe { libc::getrlimit(resource, &raw mut before) }, 0);
    let low = libc::rlimit { rlim_cur: limit, ..before };
    // SAFETY: `low` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const low) }, 0);
    let result = run();
    // SAFETY: `before` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const before) }, 0);
    result
}

/// An instance that can only be reset by starting a worker.
fn without_spares() -> Session<Process> {
    let mut options = Options::default();
    options.spares = Some(0);
    start_with::<omniglot_linux::Process>(&options)
}

/// A reset that fails leaves the instance poisoned, and a later one is good.
fn fails_and_recovers(resource: libc::__rlimit_resource_t, limit: u64) -> Error {
    let mut linux = without_spares();
    let refused = limited(resource, limit, || [linux.reset(), linux.reset()]);
    let error = refused[0].expect_err("a limit is in the way");
    assert_eq!(refused, [Err(error), Err(error)]);
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Err(Error::Poisoned { by: Cause::Reset }));
    let mut word = [0];
    let start = linux.window().start();
    assert_eq!(linux.window().read(start, &mut word), Ok(()), "the window stays");
    linux.reset().expect("nothing is in the way");
    works(&mut linux);
    error
}

fn no_files_left() {
    let error = fails_and_recovers(libc::RLIMIT_NOFILE, 3);
    assert!(matches!(error, Error::System { errno: libc::EMFILE, .. }), "{error}");
}

#[test]
fn a_reset_without_files_fails_and_a_later_one_succeeds() {
    run("files");
}

fn no_addresses_left() {
    let error = fails_and_recovers(libc::RLIMIT_AS, 16 << 30);
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

#[test]
fn a_reset_without_addresses_fails_and_a_later_one_succeeds() {
    run("addresses");
}

fn no_processes_left() {
    let error = fails_and_recovers(libc::RLIMIT_NPROC, 0);
    assert!(matches!(error, Error::System { errno: libc::EAGAIN, .. }), "{error}");
}

/// Root is not limited in the number of its processes: an ordinary user plays that part.
#[test]
fn a_reset_without_processes_fails_and_a_later_one_succeeds() {
    use std::os::unix::fs::PermissionsExt;
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return run("processes");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::copy(std::env::current_exe().expect("this test"), path("test")).expect("copied");
    fs::write(path("image.so"), support::sample().image).expect("written");
    for (name, mode) in [("", 0o755), ("test", 0o755), ("image.so", 0o644)] {
        let readable = fs::Permissions::from_mode(mode);
        fs::set_permissions(path(name), readable).expect("readable");
    }
    // Of root, this gives up all further groups, too.
    let output = Command::new(path("test"))
        .uid(65533)
        .gid(65533)
        .args(["--exact", "helper", "--nocapture"])
        .env(PART, "processes")
        .env(support::IMAGE, path("image.so"))
        .current_dir("/")
        .output()
        .expect("a copy of this test");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn killed_spares() {
    let mut linux = start::<omniglot_linux::Process>();
    linux.reset().expect("a reset");
    wait_for_spares(&linux, 1);
    wait_for("worker and spare", || children().len() == 2);
    let own = linux.process_id().to_string();
    for spare in children().iter().filter(|child| **child != own) {
        let killed = Command::new("kill").args(["-KILL", spare]).status().expect("kill");
        assert!(killed.success());
        wait_for("its end", || !runs(spare));
    }
    linux.reset().expect("another worker");
    works(&mut linux);
}

#[test]
fn a_spare_that_was_killed_is_not_used() {
    run("killed");
}

#[test]
fn options_hold_in_the_next_life() {
    let mut options = Options::default();
    options.allow = Permissions::default().with(Permission::Clock);
    options.timeout = Some(Duration::from_millis(200));
    let mut linux = start_with::<omniglot_linux::Process>(&options);
    for _ in 0..2 {
        let first = call(&mut linux, Shim::Cycles, 0, 0).expect("the processor's clock");
        assert!(call(&mut linux, Shim::Cycles, 0, 0).expect("it again") > first);
        let late = call(&mut linux, Shim::Loop, 0, 0);
        assert_eq!(late, Err(Error::Timeout { limit: Duration::from_millis(200) }));
        linux.reset().expect("a reset");
    }
}

#[test]
#[cfg_attr(embedded_sample, ignore = "it compiles a library, and a guest has no compiler")]
fn libraries_with_the_same_options_share_no_spares() {
    let other = sample_with(&["-DCONSTRUCTOR=data=7"]);
    let mut options = Options::default();
    options.spares = Some(1);
    let mut first = start_with::<omniglot_linux::Process>(&options);
    let mut second = Session::new(Process::start(&other, &options).expect("it loads"));
    for _ in 0..3 {
        first.reset().expect("a reset");
        second.reset().expect("a reset");
        for (linux, expected) in [(&mut first, 42), (&mut second, 7)] {
            let address = call(linux, Shim::Address, 0, 0).expect("an address");
            assert_eq!(support::read_word(linux, address as usize) as u32, expected);
        }
    }
}

#[test]
fn a_reset_in_a_callback_ends_the_call() {
    let mut linux = start::<omniglot_linux::Process>();
    let event = support::enter(&mut linux, Shim::CallBack, 0, 0, 0).expect("a call");
    assert!(matches!(event, omniglot_core::Event::Callback { .. }));
    linux.reset().expect("a reset");
    let answer = linux.resume(omniglot_core::Reply::Return);
    assert!(matches!(answer, Err(Error::Protocol(_))), "no call is open: {answer:?}");
    works(&mut linux);
}

/// Of instances, of an instance before and after a reset, with a warm spare and without, and of
/// spares of the same kind.
#[test]
fn no_two_lives_share_a_random_number_or_an_address() {
    let mut lives = Vec::new();
    for spares in [0, 2] {
        let mut options = Options::default();
        options.spares = Some(spares);
        let (mut one, mut two) = (start_with::<Process>(&options), start_with::<Process>(&options));
        for _ in 0..3 {
            lives.push(luck(&mut one));
            lives.push(luck(&mut two));
            one.reset().expect("a reset");
            two.reset().expect("a reset");
        }
    }
    for (index, life) in lives.iter().enumerate() {
        for other in &lives[..index] {
            assert_eq!(in_common(*life, *other), [] as [&str; 0]);
        }
    }
}
