//! What a worker has left: system calls, rights, files, memory.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

mod support;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use omniglot_core::{Description, Event, Runtime, Session};
use omniglot_linux::{Options, Permission, Permissions, Process};
use support::{image, read_word, result, start, write_frame};
use syscalls::Sysno;

const NUMBERS: usize = 1024;
/// What the probe writes for a call that ended in its handler.
const DENIED: i64 = -4096;

/// What a library may do in calls, really: the kernel does these for it and no others. The rest
/// comes back to its own domain, where the probe's handler stands in for the server.
const ALLOWED: &[Sysno] = &[Sysno::exit_group, Sysno::futex, Sysno::rt_sigreturn];

/// Passes all filters (Linux 6.18), and does nothing: only a probe's trampoline may call it.
const PROBE: (Sysno, i64) = (Sysno::uprobe, -6);

/// How many system calls are known while a worker loads, the refused included: they neither
/// end it nor fail as unknown, which the probe does not tell apart.
const MOST_WHILE_LOADING: usize = 57;

/// The results of all system calls in a phase of a worker's life.
fn probe(linux: &mut Session<Process>, phase: u64) -> Vec<i64> {
    let frame = write_frame(linux, 0, phase, 0);
    let entry = linux.shim(2).expect("the probe");
    assert_eq!(linux.enter(entry, frame), Ok(Event::Returned));
    let table = result(linux, 0) as usize;
    (0..NUMBERS).map(|number| read_word(linux, table + 8 * number) as i64).collect()
}

fn name(number: usize) -> &'static str {
    Sysno::new(number).map_or("unknown", |call| call.name())
}

/// With threads one more, which lets others run; with code in memory another.
#[test]
fn every_system_call_was_tried() {
    let mut options = Options::default();
    try_every_call(&options, ALLOWED);
    options.allow = Permission::ExecutableMemory.into();
    try_every_call(&options, &[ALLOWED, &[Sysno::mprotect]].concat());
    options.allow = Permission::Threads(2).into();
    try_every_call(&options, &[ALLOWED, &[Sysno::sched_yield]].concat());
}

fn try_every_call(options: &Options, allowed: &[Sysno]) {
    let description = Description {
        name: "probe",
        image: image("probe.c", &[]),
        shims: 3,
        slots: 0,
        functions: &["", "", ""],
    };
    let mut linux = Session::new(Process::start(&description, options).expect("the probe loads"));
    let loading = probe(&mut linux, 0);
    let serving = probe(&mut linux, 1);

    let survived = |results: &[i64]| {
        (0..NUMBERS).filter(|number| results[*number] != DENIED).collect::<Vec<_>>()
    };
    let names = |numbers: &[usize]| {
        numbers.iter().map(|number| name(*number)).collect::<Vec<_>>().join(" ")
    };
    println!("while loading: {}", names(&survived(&loading)));
    println!("in calls: {}", names(&survived(&serving)));

    assert!(
        survived(&loading).len() <= MOST_WHILE_LOADING,
        "{} while loading",
        survived(&loading).len()
    );
    for number in survived(&serving) {
        let call = Sysno::new(number).expect("a system call that is not denied is known");
        if call == PROBE.0 {
            assert_eq!(serving[number], PROBE.1, "{call}");
        } else {
            assert!(allowed.contains(&call), "{call} is possible in calls: {}", serving[number]);
        }
    }
}

#[test]
fn the_worker_has_no_rights() {
    let linux = start::<omniglot_linux::Process>();
    let status = fs::read_to_string(format!("/proc/{}/status", linux.process_id()))
        .expect("the worker's status");
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{key} in {status}")).trim().to_owned()
    };
    assert_eq!(value("NoNewPrivs"), "1");
    assert_eq!(value("Seccomp"), "2");
    assert_eq!(value("Threads"), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(value(set), "0000000000000000", "{set}");
    }
}

/// Threads are made before the library is loaded, and have both filters all the same.
#[test]
fn threads_have_no_rights_that_the_worker_has_not() {
    let mut options = Options::default();
    options.allow = Permission::Threads(3).into();
    let linux = support::start_with::<Process>(&options);
    let tasks = fs::read_dir(format!("/proc/{}/task", linux.process_id())).expect("its threads");
    let (mut count, mut filters) = (0, HashSet::new());
    for task in tasks {
        let status = fs::read_to_string(task.expect("a thread").path().join("status"));
        let status = status.expect("its status");
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("{key} in {status}")).trim().to_owned()
        };
        assert_eq!((value("NoNewPrivs").as_str(), value("Seccomp").as_str()), ("1", "2"));
        filters.insert(value("Seccomp_filters"));
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(value(set), "0000000000000000", "{set}");
        }
        count += 1;
    }
    assert_eq!((count, filters.len()), (4, 1), "as many filters each: {filters:?}");
}

/// Says that a copy of this test is to look at its workers.
const LOOK: &str = "OMNIGLOT_TEST_LOOK";

/// Not a test by itself: looks at who owns workers, with Landlock and, since the standard
/// error is a pipe, without.
#[test]
fn helper() {
    if std::env::var_os(LOOK).is_none() {
        return;
    }
    let owner = |process: &str| fs::metadata(format!("/proc/{process}/environ")).expect("it").uid();
    for allow in [Permissions::default(), Permissions::default().with(Permission::Stderr)] {
        let mut options = Options::default();
        options.allow = allow;
        let linux = support::start_with::<Process>(&options);
        assert_eq!(owner(&linux.process_id().to_string()), 0, "{allow:?}");
        assert_ne!(owner("self"), 0);
    }
}

/// The kernel gives processes that must not be dumped or traced to root (proc(5)); so the
/// host that looks must be somebody else.
#[test]
fn workers_can_be_neither_traced_nor_dumped() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("allowed");
    let copy = |name: &str, from: &Path| {
        let place = directory.path().join(name);
        fs::copy(from, &place).expect("copied");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("allowed");
        place
    };
    let image = copy("sample.so", &support::compile("sample.c", &[]));
    let program = copy("test", &std::env::current_exe().expect("this test"));
    let mut command = Command::new(program);
    command.args(["--exact", "helper", "--nocapture"]).env(LOOK, "1").env(support::IMAGE, image);
    if fs::metadata("/proc/self").expect("this process").uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.current_dir("/").output().expect("a copy of this test");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// No file of 0 bytes is a dump, but a program to which dumps go gets them whatever the
/// limit, unless it is 1 (core(5)).
#[test]
fn workers_leave_no_core_to_any_program() {
    let linux = start::<Process>();
    let limits = fs::read_to_string(format!("/proc/{}/limits", linux.process_id()));
    let limits = limits.expect("the worker's limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let core: Vec<_> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core, ["1", "1", "bytes"]);
}

fn clock_is_sealed() -> bool {
    let maps = fs::read_to_string("/proc/self/smaps").expect("own mappings");
    let mut clock = maps.lines().skip_while(|line| !line.contains("[vvar]"));
    let flags = clock.find(|line| line.starts_with("VmFlags:"));
    flags.is_some_and(|flags| flags.contains(" sl"))
}

#[test]
fn the_worker_has_no_files_and_no_memory_but_the_window() {
    let linux = start::<omniglot_linux::Process>();
    let process = format!("/proc/{}", linux.process_id());
    let Ok(files) = fs::read_dir(format!("{process}/fd")) else {
        return; // an ordinary user may not look at a process that cannot be dumped
    };
    assert_eq!(files.count(), 0, "no descriptor is open");
    let maps = fs::read_to_string(format!("{process}/maps")).expect("the worker's mappings");
    let window = linux.window().start()..linux.window().start() + linux.window().len();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').expect("a range");
        let (start, _) = range.split_once('-').expect("two addresses");
        let inside = window.contains(&usize::from_str_radix(start, 16).expect("a number"));
        let hidden = rest.starts_with("---");
        // What loading may not change: the filter for calls.
        let kept = range.starts_with("20000000-") && rest.starts_with("r--p");
        // Its clock only where nobody can take it away (CONFIG_MSEAL_SYSTEM_MAPPINGS).
        let clock = ["[vdso]", "[vvar]", "[vvar_vclock]"].iter().any(|name| rest.contains(name));
        assert!(!clock || clock_is_sealed(), "{line}");
        let kernels = [
            "[vdso]",
            "[vvar]",
            "[vvar_vclock]",
            "[stack]",
            "[vsyscall]",
            "[heap]",
            "omniglot-worker",
        ];
        if inside {
            assert!(hidden || rest.contains("omniglot-window"), "{line}");
        } else {
            assert!(hidden || kept || kernels.iter().any(|name| rest.contains(name)), "{line}");
        }
        assert!(!rest.starts_with("rwx"), "{line}");
    }
    for permissions in ["r-xs", "r--s", "rw-s"] {
        assert!(maps.contains(permissions), "the library's permissions stay: {permissions}");
    }
}
