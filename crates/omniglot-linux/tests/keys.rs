//! Attacks on protection keys. They run where the machine has keys, and else say that they
//! did not.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(in_process)]

#[path = "support/emulated.rs"]
mod emulated;
#[path = "support/planted.rs"]
mod planted;
#[path = "support/sample.rs"]
mod sampling;
#[allow(unused_macros)]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emulated::LONGEST;
use omniglot_core::{Error, Event, FaultKind, IsolationKind, Reply, Runtime, Session};
use omniglot_linux::{Isolation, Linux, Machine, Options, ProtectionKeys};
use omniglot_scan::{Code, Kind, find};
use support::{Driven, Shim, call, enter, has_keys, sample, start, start_with};

/// There are 15 keys, which one of the tests uses up.
static KEYS: Mutex<()> = Mutex::new(());

fn alone() -> Option<MutexGuard<'static, ()>> {
    has_keys().then(|| KEYS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A mapping of this process, as /proc/self/smaps says.
#[derive(Debug)]
struct Mapped {
    start: usize,
    end: usize,
    access: String,
    name: String,
    key: u32,
    /// Which file, and where in it: what is the same memory.
    file: String,
    offset: usize,
}

fn mappings() -> Vec<Mapped> {
    mappings_of("self")
}

/// None of a process that is gone.
fn mappings_of(process: &str) -> Vec<Mapped> {
    let mut mappings: Vec<Mapped> = Vec::new();
    let text = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap_or_default();
    for line in text.lines() {
        let columns: Vec<_> = line.split_whitespace().collect();
        if let Some((start, end)) = columns[0].split_once('-') {
            mappings.push(Mapped {
                start: usize::from_str_radix(start, 16).expect("a number"),
                end: usize::from_str_radix(end, 16).expect("a number"),
                access: columns[1].to_owned(),
                name: columns.get(5).copied().unwrap_or_default().to_owned(),
                key: 0,
                file: columns[4].to_owned(),
                offset: usize::from_str_radix(columns[2], 16).expect("a number"),
            });
        } else if columns[0] == "ProtectionKey:" {
            mappings.last_mut().expect("a mapping").key = columns[1].parse().expect("a number");
        }
    }
    mappings
}

impl PartialEq for Mapped {
    fn eq(&self, other: &Self) -> bool {
        self.start == other.start
    }
}

/// Mappings that are not writable, of memory that is writable elsewhere.
fn changeable<'a>(mapped: &[&'a Mapped]) -> Vec<&'a Mapped> {
    let elsewhere = mappings();
    let is_same = |one: &Mapped, other: &Mapped| {
        let end = |mapped: &Mapped| mapped.offset + (mapped.end - mapped.start);
        one.file == other.file && one.offset < end(other) && other.offset < end(one)
    };
    let of_file = |one: &&Mapped| one.file != "0" && !one.access.contains('w');
    let is_writable = |one: &&Mapped| {
        elsewhere.iter().any(|other| other.access.contains('w') && is_same(one, other))
    };
    mapped.iter().copied().filter(of_file).filter(is_writable).collect()
}

/// A window's key, which all of it has; nothing in it can be both written and executed, and what
/// is constant cannot be written elsewhere.
fn key_of(runtime: &Session<ProtectionKeys>, mapped: &[Mapped]) -> (u32, Range<usize>) {
    let (start, len) = (runtime.window().start(), runtime.window().len());
    let is_inside = |mapping: &&Mapped| mapping.start < start + len && start < mapping.end;
    let inside: Vec<_> = mapped.iter().filter(is_inside).collect();
    let key = inside[0].key;
    assert!(inside.iter().all(|mapping| mapping.key == key && key != 0), "{inside:#?}");
    let pages: usize = inside.iter().map(|mapping| mapping.end - mapping.start).sum();
    assert_eq!(pages, len, "no page of the window is free for others");
    for mapping in &inside {
        assert!(!(mapping.access.contains('w') && mapping.access.contains('x')), "{mapping:?}");
    }
    assert_eq!(changeable(&inside), [] as [&Mapped; 0], "constants that can be changed");
    (key, start..start + len)
}

/// Every page of these domains has their key, each another, and no page elsewhere has one, but
/// for what all domains may read, and not write.
fn check_every_page(domains: &[&Session<ProtectionKeys>]) {
    let mapped = mappings();
    let windows: Vec<_> = domains.iter().map(|domain| key_of(domain, &mapped)).collect();
    let keys: BTreeSet<_> = windows.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys.len(), domains.len(), "{windows:x?}");
    let is_elsewhere =
        |mapping: &&Mapped| !windows.iter().any(|(_, window)| window.contains(&mapping.start));
    let others: Vec<_> =
        mapped.iter().filter(is_elsewhere).filter(|mapping| mapping.key != 0).collect();
    assert_eq!(others.len(), 1, "{others:#?}");
    assert!(!keys.contains(&others[0].key), "{others:#?}");
    assert_eq!(others[0].access, "r--s");
}

#[test]
fn every_page_has_its_key() {
    let Some(_alone) = alone() else { return };
    let (one, two) = (start::<ProtectionKeys>(), start::<ProtectionKeys>());
    check_every_page(&[&one, &two]);
}

/// How many lives there are in the test below; unless set, as many as do not take long.
const LIVES: &str = "OMNIGLOT_LIVES";

/// A fresh mapping has key 0: so after resets, of a domain that wrote to all of its kinds of
/// memory and of one that ended in a fault, after other domains came and went, in many lives.
#[test]
fn every_page_has_its_key_in_each_life() {
    let Some(_alone) = alone() else { return };
    let lives = std::env::var(LIVES).ok().and_then(|lives| lives.parse().ok()).unwrap_or(40u32);
    // Some are new instances, which take longer than resets.
    let fresh_every = if lives > 1000 { 100 } else { 10 };
    let other = start::<ProtectionKeys>();
    let mut runtime = start::<ProtectionKeys>();
    for life in 0..lives {
        match life % 3 {
            0 => assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3)),
            1 => assert!(call(&mut runtime, Shim::Exhaust, 1 << 20, 0).is_ok()),
            _ => assert!(call(&mut runtime, Shim::Null, 0, 0).is_err()),
        }
        if life % fresh_every == fresh_every - 1 {
            drop(runtime);
            check_every_page(&[&other]);
            runtime = start::<ProtectionKeys>();
        } else {
            runtime.reset().expect("a reset");
        }
        check_every_page(&[&other, &runtime]);
    }
    println!("{lives} lives");
}

/// A forked child has no page with a key, until it has a domain of its own.
#[test]
fn every_page_has_its_key_in_a_forked_child() {
    let Some(_alone) = alone() else { return };
    let runtime = start::<ProtectionKeys>();
    check_every_page(&[&runtime]);
    let is_right = in_child(|| {
        let keyed: Vec<_> = mappings().into_iter().filter(|mapped| mapped.key != 0).collect();
        assert_eq!(keyed, []);
        let mut own = start::<ProtectionKeys>();
        check_every_page(&[&own]);
        own.reset().expect("a reset");
        check_every_page(&[&own]);
        assert_eq!(call(&mut own, Shim::Add, 1, 2), Ok(3));
    });
    assert!(is_right);
    check_every_page(&[&runtime]);
}

/// Whether this does not panic in a forked child.
#[allow(unsafe_code)]
fn in_child(body: impl FnOnce()) -> bool {
    // SAFETY: the child runs the closure and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(ended.is_err())) }
    }
    status_of(child) == Some(0)
}

/// The exit status of a child of this process, which nobody else has waited for.
#[allow(unsafe_code)]
fn status_of(child: i32) -> Option<i32> {
    let mut status = -1;
    // SAFETY: waits for the child.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    (waited == child && libc::WIFEXITED(status)).then(|| libc::WEXITSTATUS(status))
}

/// What was wrong when the runtime made a system call; only looked for where `WATCHED` says.
static WRONG: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHED: AtomicUsize = AtomicUsize::new(0);
const NOT: usize = 0;

/// The C library's syscall(2), for this whole program: looks at what must hold at two calls.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
extern "C" fn syscall(n: i64, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> i64 {
    if WATCHED.load(Ordering::Relaxed) != NOT {
        look(n, a, b, c);
    }
    let is_trial = n == libc::SYS_clone && a == 0;
    if is_trial && CHILDLESS.load(Ordering::Relaxed) {
        // SAFETY: asks where this thread's error number is.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: this thread's own.
        unsafe { place.write(libc::EAGAIN) };
        return -1;
    }
    let result: i64;
    // SAFETY: the call that the caller asked for.
    unsafe {
        std::arch::asm!(
            "syscall", inlateout("rax") n => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, out("rcx") _, out("r11") _, options(nostack)
        );
    }
    if is_trial && result == 0 && SLOW.load(Ordering::Relaxed) {
        // SAFETY: waits, in the child.
        unsafe { libc::usleep(100_000) };
    }
    if (-4095..0).contains(&result) {
        // SAFETY: asks where this thread's error number is.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: this thread's own.
        unsafe { place.write(-(result as i32)) };
        return -1;
    }
    result
}

/// What is to happen when the runtime opens the process's code to look at it.
static DURING_A_LOOK: AtomicUsize = AtomicUsize::new(NOTHING);
const NOTHING: usize = 0;
/// A signal arrives.
const SIGNAL: usize = 1;
/// The thread waits until that is taken back, and says so.
const WAIT: usize = 2;
const WAITING: usize = 3;
/// How often the runtime asked what is mapped.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The C library's open64(2), by which the standard library opens files, for this whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
unsafe extern "C" fn open64(path: *const libc::c_char, flags: i32, mode: u32) -> i32 {
    // SAFETY: a text that ends with a NUL, as the caller promises.
    let name = unsafe { std::ffi::CStr::from_ptr(path) };
    if name == c"/proc/self/maps" {
        ASKED.fetch_add(1, Ordering::Relaxed);
    }
    if name == c"/proc/self/mem" {
        match DURING_A_LOOK.load(Ordering::Acquire) {
            SIGNAL => {
                DURING_A_LOOK.store(NOTHING, Ordering::Release);
                // SAFETY: sends this thread a signal, for which there is a handler.
                assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
            }
            WAIT => {
                DURING_A_LOOK.store(WAITING, Ordering::Release);
                while DURING_A_LOOK.load(Ordering::Acquire) == WAITING {
                    std::thread::yield_now();
                }
            }
            _ => {}
        }
    }
    let directory = libc::AT_FDCWD as isize as usize;
    syscall(libc::SYS_openat, directory, path.addr(), flags as usize, mode as usize, 0, 0) as i32
}

/// A page that the host may make executable, with this at its start.
#[allow(unsafe_code)]
fn page_with(bytes: &[u8]) -> usize {
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: fresh pages.
    let room = unsafe { libc::mmap(std::ptr::null_mut(), 3 * 4096, access, flags, -1, 0) };
    let page = room.wrapping_byte_add(4096);
    // SAFETY: within them.
    unsafe { page.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    page.expose_provenance()
}

#[allow(unsafe_code)]
fn make_executable(page: usize) -> bool {
    let start = std::ptr::with_exposed_provenance_mut(page);
    // SAFETY: a page of ours, of which nobody knows.
    unsafe { libc::mprotect(start, 4096, libc::PROT_READ | libc::PROT_EXEC) == 0 }
}

const HARMLESS: &[u8] = &[0x90, 0x90, 0x90, 0xc3];
/// `wrpkru; ret`.
const GADGET: &[u8] = &[0x0f, 0x01, 0xef, 0xc3];

/// Which page a handler makes executable.
static PAGE: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
fn on_a_signal(handler: extern "C" fn(i32)) {
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // SAFETY: the handler does what handlers may. Without SA_RESTART it interrupts.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }, 0);
}

/// Set in a process of a test's own, which ends if it hangs.
const ALONE: &str = "OMNIGLOT_TEST_ALONE";

/// A handler that interrupts the thread that looks waits for nobody, and what it made executable is
/// looked at before foreign code runs.
#[allow(unsafe_code)]
#[test]
fn a_handler_makes_memory_executable_during_a_look() {
    extern "C" fn make(_: i32) {
        make_executable(PAGE.load(Ordering::Relaxed));
    }
    let Some(_alone) = alone() else { return };
    if std::env::var_os(ALONE).is_none() {
        return alone_with(ALONE, "a_handler_makes_memory_executable_during_a_look");
    }
    // SAFETY: ends this process if it hangs.
    unsafe { libc::alarm(120) };
    let mut runtime = start::<ProtectionKeys>();
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    on_a_signal(make);
    for (bytes, is_fine) in [(HARMLESS, true), (GADGET, false)] {
        PAGE.store(page_with(bytes), Ordering::Relaxed);
        assert!(make_executable(page_with(HARMLESS)), "something to look at");
        DURING_A_LOOK.store(SIGNAL, Ordering::Release);
        let outcome = call(&mut runtime, Shim::Add, 1, 2);
        assert_eq!(DURING_A_LOOK.load(Ordering::Acquire), NOTHING, "there was a look");
        assert_eq!(outcome.is_ok(), is_fine, "{outcome:?}");
    }
}

/// Another thread looks at code when the process forks: the child has no such thread.
#[allow(unsafe_code)]
#[test]
fn a_child_that_is_forked_during_a_look_can_make_memory_executable() {
    let Some(_alone) = alone() else { return };
    let mut runtime = start::<ProtectionKeys>();
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
    assert!(make_executable(page_with(HARMLESS)), "something to look at");
    let page = page_with(HARMLESS);
    DURING_A_LOOK.store(WAIT, Ordering::Release);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| call(&mut runtime, Shim::Add, 1, 2));
        while DURING_A_LOOK.load(Ordering::Acquire) == WAIT {
            std::thread::yield_now();
        }
        let is_right = in_child(|| {
            DURING_A_LOOK.store(NOTHING, Ordering::Release);
            // SAFETY: ends the child if it hangs.
            unsafe { libc::alarm(120) };
            assert!(make_executable(page));
            assert_eq!(call(&mut start::<ProtectionKeys>(), Shim::Add, 1, 2), Ok(3));
        });
        DURING_A_LOOK.store(NOTHING, Ordering::Release);
        assert_eq!(looking.join().expect("a call"), Ok(3));
        assert!(is_right);
    });
}

/// An allocator that moves memory, with a lock that looking at code needs, would wait for itself.
#[allow(unsafe_code)]
#[test]
fn moving_data_looks_at_no_code() {
    let Some(_alone) = alone() else { return };
    let mut endless = start::<ProtectionKeys>();
    assert_eq!(call(&mut endless, Shim::Add, 1, 2), Ok(3));
    let handle = endless.interrupt_handle();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| call(&mut endless, Shim::Loop, 0, 0));
        // Long enough to be in foreign code, on any machine that is not overwhelmed.
        std::thread::sleep(Duration::from_millis(300));
        let page = std::ptr::with_exposed_provenance_mut(page_with(HARMLESS));
        let before = ASKED.load(Ordering::Relaxed);
        // SAFETY: a page of ours, of which nobody knows.
        let moved = unsafe { libc::mremap(page, 4096, 1 << 20, libc::MREMAP_MAYMOVE) };
        let asked = ASKED.load(Ordering::Relaxed) - before;
        while !running.is_finished() {
            handle.interrupt();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_ne!(moved, libc::MAP_FAILED);
        assert_eq!(asked, 0);
        assert_eq!(running.join().expect("it ends"), Err(Error::Interrupted));
    });
}

fn look(number: i64, first: usize, second: usize, third: usize) {
    let wrong = match number {
        libc::SYS_pkey_free => mappings().into_iter().find(|mapped| mapped.key as usize == first),
        libc::SYS_pkey_mprotect if third as i32 & libc::PROT_EXEC != 0 => of_other_processes()
            .into_iter()
            .find(|mapped| mapped.start < first + second && first < mapped.end),
        _ => return,
    };
    WATCHED.fetch_add(1, Ordering::Relaxed);
    let mut all = WRONG.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(wrong.map(|mapped| format!("at system call {number}: {mapped:?}")));
}

/// What others have mapped.
fn of_other_processes() -> Vec<Mapped> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let others = names.filter(|name| name.parse().is_ok_and(|number: u32| number != own));
    others.flat_map(|name| mappings_of(&name)).collect()
}

#[test]
fn workers_end_before_and_keys_after_the_memory_that_has_them() {
    let Some(_alone) = alone() else { return };
    drop(start::<ProtectionKeys>());
    WATCHED.store(1, Ordering::Relaxed);
    let runtime = start::<ProtectionKeys>();
    let started = WATCHED.load(Ordering::Relaxed);
    drop(runtime);
    let ended = WATCHED.swap(NOT, Ordering::Relaxed);
    assert!(started > 1 && ended == started + 1, "{started} and {ended} calls were seen");
    let wrong = WRONG.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*wrong, [] as [&str; 0]);
}

/// Memory of the host that nobody may change.
fn canaries() -> Vec<u64> {
    black_box(vec![0x1234_5678_9abc_def0; 512])
}

fn check(canaries: &[u64]) {
    assert!(canaries.iter().all(|word| *word == 0x1234_5678_9abc_def0), "{canaries:x?}");
}

/// The fault of a write to an address.
fn write_faults(runtime: &mut Session<ProtectionKeys>, address: usize) {
    match call(runtime, Shim::Write, address as u64, 7) {
        Err(Error::Fault(fault)) => {
            assert_eq!((fault.kind, fault.address), (FaultKind::Access, address));
        }
        other => panic!("a fault at {address:#x} was expected, but {other:?}"),
    }
    runtime.reset().expect("a reset");
}

#[test]
fn the_hosts_memory_is_out_of_reach() {
    let Some(_alone) = alone() else { return };
    let other = start::<ProtectionKeys>();
    let mut runtime = start::<ProtectionKeys>();
    let heap = canaries();
    let stack = black_box([0x1234_5678_9abc_def0u64; 64]);
    write_faults(&mut runtime, heap.as_ptr().addr());
    write_faults(&mut runtime, stack.as_ptr().addr());
    write_faults(&mut runtime, canaries as *const () as usize);
    write_faults(&mut runtime, other.window().start());
    for mapping in mappings() {
        // Selectors among them, tables, and the other views of the domains' memory.
        if mapping.name.contains("memfd:omniglot")
            && mapping.access.starts_with("r")
            && !inside(&runtime, mapping.start)
        {
            write_faults(&mut runtime, mapping.start);
        }
    }
    check(&heap);
    check(&stack);
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
}

fn inside(runtime: &Session<ProtectionKeys>, address: usize) -> bool {
    let window = runtime.window();
    (window.start()..window.start() + window.len()).contains(&address)
}

/// Where this process's code can write PKRU.
fn writes() -> Vec<u64> {
    let memory = fs::File::open("/proc/self/mem").expect("memory");
    let mut writes = Vec::new();
    for mapping in mappings() {
        if !mapping.access.contains('x') || mapping.name == "[vsyscall]" {
            continue;
        }
        let mut bytes = vec![0; mapping.end - mapping.start];
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, mapping.start as u64)
            .expect("code");
        let code = [Code { address: mapping.start as u64, bytes: &bytes }];
        let found = find(&code, |kind| kind == Kind::Wrpkru || kind == Kind::Xrstor);
        writes.extend(found.into_iter().map(|gadget| gadget.address));
    }
    writes
}

#[test]
fn accidental_gadgets_of_the_host_are_replaced() {
    let Some(_alone) = alone() else { return };
    let _domain = start::<ProtectionKeys>();
    let planted = planted::code();
    assert!(writes().iter().all(|address| !planted.contains(&(*address as usize))));
    assert_eq!(planted::wrong(), None);
}

/// Everything allowed; what signal handlers have; what a host has.
const RIGHTS: [u64; 4] = [0, 0x5555_5554, 0x5555_5550, 0x5555_5544];

/// Jumps there with those rights in eax; the index of a table may be one that is not there.
fn attack(runtime: &mut Session<ProtectionKeys>, place: u64, rights: u64, index: u64) {
    match call(runtime, Shim::JumpTo, place, rights | index << 32) {
        Ok(_) | Err(Error::Fault(_) | Error::SyscallDenied { .. } | Error::Timeout { .. }) => {}
        Err(Error::NonLocalExit | Error::Protocol(_)) => {}
        other => panic!("from {place:#x} with {rights:#x} came {other:?}"),
    }
    runtime.reset().expect("a reset");
    assert_eq!(call(runtime, Shim::Add, 1, 2), Ok(3));
}

/// A domain that wants to write to a canary as soon as it can.
fn attacker(victim: &[u64]) -> Session<ProtectionKeys> {
    let mut options = Options::default();
    options.timeout = Some(Duration::from_secs(5));
    let mut runtime = start_with::<ProtectionKeys>(&options);
    let target = victim.as_ptr().addr() as u64;
    call(&mut runtime, Shim::Victim, target, 0).expect("a call");
    runtime
}

/// As [`attack`], with the victim named again, since a reset forgot it.
fn aim_and_attack(
    runtime: &mut Session<ProtectionKeys>,
    victim: &[u64],
    place: u64,
    rights: u64,
    index: u64,
) {
    call(runtime, Shim::Victim, victim.as_ptr().addr() as u64, 0).expect("a call");
    attack(runtime, place, rights, index);
    check(victim);
}

#[test]
fn every_instruction_that_changes_rights_is_guarded() {
    let Some(_alone) = alone() else { return };
    let victim = canaries();
    let mut runtime = attacker(&victim);
    let writes = writes();
    assert!(writes.len() >= 5, "the gate's own are there: {writes:x?}");
    for place in writes {
        for rights in RIGHTS {
            for index in [0, 2, 5, 15, 16, 0x1000_0002] {
                aim_and_attack(&mut runtime, &victim, place, rights, index);
            }
        }
    }
}

/// Bytes of this process's code, as far as there are any.
fn code(start: u64, len: usize) -> Vec<u8> {
    let memory = fs::File::open("/proc/self/mem").expect("memory");
    let mut bytes = vec![0; len];
    let got = std::os::unix::fs::FileExt::read_at(&memory, &mut bytes, start).unwrap_or(0);
    bytes.truncate(got);
    bytes
}

/// Whether a jump there would end the machine that emulates the processor.
fn is_fatal_to_the_emulator(place: u64) -> bool {
    emulated::crashes_the_emulators_kernel(place, |place| code(place, LONGEST).try_into().ok())
}

#[test]
fn no_byte_of_the_gate_helps() {
    let Some(_alone) = alone() else { return };
    let victim = canaries();
    let mut runtime = attacker(&victim);
    let writes = writes();
    let gate: BTreeSet<u64> = writes.iter().flat_map(|write| write - 160..write + 160).collect();
    let (fatal, places): (Vec<_>, Vec<_>) =
        gate.into_iter().partition(|place| is_fatal_to_the_emulator(*place));
    println!("{} places, {} left out: {fatal:x?}", places.len(), fatal.len());
    assert!(places.len() > 10 * fatal.len());
    let places = sampling::sample(places, "bytes of the gate", 800);
    for (count, place) in places.into_iter().enumerate() {
        let rights = RIGHTS[count % RIGHTS.len()];
        aim_and_attack(&mut runtime, &victim, place, rights, 2);
    }
}

#[test]
fn keys_run_out_and_come_back() {
    let Some(_alone) = alone() else { return };
    let mut small = Options::default();
    small.memory_limit = 64 << 20;
    small.start_timeout = Duration::from_secs(300);
    for _ in 0..2 {
        let mut domains = Vec::new();
        let ended = loop {
            match ProtectionKeys::load(&sample(), &small) {
                Ok(domain) => domains.push(domain),
                Err(error) => break error,
            }
        };
        assert_eq!((ended, domains.len()), (Error::NoKeyLeft, 14));
        small.isolation = Isolation::ProtectionKeys;
        assert_eq!(Linux::start(&sample(), &small).err(), Some(Error::NoKeyLeft));
        domains.pop();
        let mut last = Session::new(Linux::start(&sample(), &small).expect("a domain"));
        assert_eq!(last.isolation(), IsolationKind::ProtectionKeys);
        assert_eq!(call(&mut last, Shim::Add, 1, 2), Ok(3));
    }
}

/// What says so before a start goes by the same list as the start.
#[test]
fn what_the_machine_lacks_is_what_a_start_says() {
    let missing = Machine::this().missing(IsolationKind::ProtectionKeys);
    match (ProtectionKeys::check(), missing.first()) {
        (Ok(()), None) => {}
        (Err(Error::Unsupported { what, .. }), Some(missing)) => assert_eq!(what, missing.lack),
        other => panic!("{other:?}"),
    }
}

/// They are experimental: only who names them has them.
#[test]
fn keys_are_never_chosen_unasked() {
    let Some(_alone) = alone() else { return };
    let mut options = Options::default();
    options.start_timeout = Duration::from_secs(300);
    assert_eq!(options.isolation, Isolation::Auto, "what users get who choose nothing");
    let mut automatic = Session::new(Linux::start(&sample(), &options).expect("a process"));
    assert_eq!(automatic.isolation(), IsolationKind::Process);
    assert_eq!(call(&mut automatic, Shim::Add, 1, 2), Ok(3));
    assert_eq!(Machine::this().choice().isolation, Some(IsolationKind::Process));
}

#[test]
fn many_threads_are_right_at_once() {
    let Some(_alone) = alone() else { return };
    let work = || {
        let mut domain = start::<ProtectionKeys>();
        for round in 0..100 {
            assert_eq!(call(&mut domain, Shim::Add, round, 1), Ok(round + 1));
        }
    };
    let threads = [(); 4].map(|()| std::thread::spawn(work));
    threads.into_iter().for_each(|thread| thread.join().expect("all calls are right"));
}

/// Whether a call of one domain ends although another's runs on: the other is interrupted
/// as soon as it does, or after a while.
fn runs_beside_another() -> bool {
    let (mut endless, mut other) = (start::<ProtectionKeys>(), start::<ProtectionKeys>());
    assert_eq!(call(&mut other, Shim::Add, 1, 1), Ok(2));
    let handle = endless.interrupt_handle();
    let is_in = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            is_in.store(true, Ordering::Release);
            call(&mut endless, Shim::Loop, 0, 0)
        });
        while !is_in.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // Long enough to be in foreign code, on any machine that is not overwhelmed.
        std::thread::sleep(Duration::from_millis(300));
        let waiting = scope.spawn(|| call(&mut other, Shim::Add, 1, 1));
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(30));
            if waiting.is_finished() {
                break;
            }
        }
        let was_beside = waiting.is_finished() && !running.is_finished();
        while !running.is_finished() {
            handle.interrupt();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(running.join().expect("it ends"), Err(Error::Interrupted));
        assert_eq!(waiting.join().expect("it ends"), Ok(2));
        was_beside
    })
}

#[test]
fn a_domain_runs_beside_one_that_runs_on() {
    let Some(_alone) = alone() else { return };
    assert!(runs_beside_another());
}

/// Set in a process whose system calls of 32-bit programs end it.
const FILTERED: &str = "OMNIGLOT_TEST_FILTERED";

/// As a service manager's `SystemCallArchitectures=native` does.
#[allow(unsafe_code)]
fn forbid_other_calls() {
    // Load the architecture; native ones pass, others end the process (linux/seccomp.h).
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(0x20, 0, 0, 4),
        step(0x15, 1, 0, 0xc000_003e),
        step(0x06, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    let (one, none) = (1 as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: gives up a privilege.
    let given_up = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, none, none, none) };
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is read before the call returns.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) };
    assert_eq!((given_up, set), (0, 0), "{}", std::io::Error::last_os_error());
}

/// Set while the runtime is to have no child that tries whether threads can have numbers.
static CHILDLESS: AtomicBool = AtomicBool::new(false);

/// Set while that child is to take its time.
static SLOW: AtomicBool = AtomicBool::new(false);

/// Runs a test of this program in a process of its own, where that variable is set.
fn alone_with(variable: &str, test: &str) {
    let program = std::env::current_exe().expect("this program");
    let mut process = std::process::Command::new(program);
    let output = process.arg(test).env(variable, "1").output().expect("this program runs");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

/// Set in a process that has not found out yet whether threads can have numbers.
const FRESH: &str = "OMNIGLOT_TEST_FRESH";

/// Nor is it taken for a kernel without thread numbers, which would have domains take turns.
#[allow(unsafe_code)]
#[test]
fn a_trial_that_cannot_be_made_touches_no_child_of_the_hosts() {
    let Some(_alone) = alone() else { return };
    if std::env::var_os(FRESH).is_none() {
        return alone_with(FRESH, "a_trial_that_cannot_be_made_touches_no_child_of_the_hosts");
    }
    let mut runtime = start::<ProtectionKeys>();
    // SAFETY: the child ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe { libc::_exit(7) }
    }
    CHILDLESS.store(true, Ordering::Relaxed);
    let outcome = call(&mut runtime, Shim::Add, 1, 2);
    CHILDLESS.store(false, Ordering::Relaxed);
    assert!(matches!(outcome, Err(Error::System { errno: libc::EAGAIN, .. })), "{outcome:?}");
    assert_eq!(status_of(child), Some(7));
    assert_eq!(call(&mut start::<ProtectionKeys>(), Shim::Add, 1, 2), Ok(3));
    assert!(runs_beside_another());
}

/// What interrupts waiting is no answer.
#[allow(unsafe_code)]
#[test]
fn a_trial_that_is_interrupted_is_waited_for() {
    extern "C" fn nothing(_: i32) {}
    let Some(_alone) = alone() else { return };
    if std::env::var_os(FRESH).is_none() {
        return alone_with(FRESH, "a_trial_that_is_interrupted_is_waited_for");
    }
    let mut runtime = start::<ProtectionKeys>();
    on_a_signal(nothing);
    SLOW.store(true, Ordering::Relaxed);
    let is_done = AtomicBool::new(false);
    // SAFETY: has no preconditions.
    let thread = unsafe { libc::pthread_self() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one.
                assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let outcome = call(&mut runtime, Shim::Add, 1, 2);
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(outcome, Ok(3));
    });
    assert!(runs_beside_another());
}

/// What is sent to the whole group of processes reaches the child that tries, too, which has the
/// host's handlers.
#[allow(unsafe_code)]
#[test]
fn a_trial_runs_no_handler_of_the_hosts() {
    static HOST: AtomicUsize = AtomicUsize::new(0);
    static STRAYS: std::sync::atomic::AtomicPtr<AtomicUsize> =
        std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
    extern "C" fn note(_: i32) {
        if std::process::id() as usize != HOST.load(Ordering::Relaxed) {
            // SAFETY: the shared word, which is never unmapped.
            unsafe { &*STRAYS.load(Ordering::Relaxed) }.fetch_add(1, Ordering::Relaxed);
        }
    }
    let Some(_alone) = alone() else { return };
    if std::env::var_os(FRESH).is_none() {
        return alone_with(FRESH, "a_trial_runs_no_handler_of_the_hosts");
    }
    let (access, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh page, of zeros.
    let shared = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0) };
    STRAYS.store(shared.cast(), Ordering::Relaxed);
    HOST.store(std::process::id() as usize, Ordering::Relaxed);
    // SAFETY: a group of this process's own.
    assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
    let mut runtime = start::<ProtectionKeys>();
    on_a_signal(note);
    SLOW.store(true, Ordering::Relaxed);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                // SAFETY: to this group, which has a handler.
                assert_eq!(unsafe { libc::kill(0, libc::SIGUSR1) }, 0);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let outcome = call(&mut runtime, Shim::Add, 1, 2);
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(outcome, Ok(3));
    });
    // SAFETY: the shared word.
    assert_eq!(unsafe { &*shared.cast::<AtomicUsize>() }.load(Ordering::Relaxed), 0);
}

/// As of a program that confines itself once it has got ready. Threads then have no number; who has
/// another's, from the thread that started it, is told so.
#[test]
fn a_filter_that_comes_after_the_first_call_is_asked_again() {
    let Some(_alone) = alone() else { return };
    if std::env::var_os(FILTERED).is_none() {
        return alone_with(FILTERED, "a_filter_that_comes_after_the_first_call_is_asked_again");
    }
    let (mut early, mut late) = (start::<ProtectionKeys>(), start::<ProtectionKeys>());
    let mut runtime = start::<ProtectionKeys>();
    let is_filtered = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            is_filtered.wait();
            call(&mut early, Shim::Add, 1, 2)
        });
        assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
        forbid_other_calls();
        is_filtered.wait();
        assert_eq!(waiting.join().expect("a call"), Ok(3));
        let outcome = scope.spawn(|| call(&mut late, Shim::Add, 1, 2)).join().expect("a call");
        assert!(matches!(outcome, Err(Error::Unsupported { .. })), "{outcome:?}");
    });
    assert_eq!(call(&mut runtime, Shim::Add, 1, 2), Ok(3));
}

#[test]
fn domains_take_turns_where_threads_have_no_numbers() {
    let Some(_alone) = alone() else { return };
    if std::env::var_os(FILTERED).is_some() {
        forbid_other_calls();
        assert!(!runs_beside_another());
        return;
    }
    alone_with(FILTERED, "domains_take_turns_where_threads_have_no_numbers");
}

/// Calls per second of so many threads, each with a domain of its own.
fn calls_per_second(threads: usize) -> f64 {
    const CALLS: u64 = 3_000;
    let barrier = std::sync::Barrier::new(threads);
    let seconds = std::thread::scope(|scope| {
        let work = || {
            let mut domain = start::<ProtectionKeys>();
            assert_eq!(call(&mut domain, Shim::Add, 1, 1), Ok(2));
            barrier.wait();
            let start = std::time::Instant::now();
            for round in 0..CALLS {
                assert_eq!(call(&mut domain, Shim::Add, round, 1), Ok(round + 1));
            }
            start.elapsed().as_secs_f64()
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("all calls are right"))
            .fold(0.0, f64::max)
    });
    threads as f64 * CALLS as f64 / seconds
}

#[test]
fn throughput() {
    let Some(_alone) = alone() else { return };
    let (one, two) = (calls_per_second(1), calls_per_second(2));
    println!("{one:.0} calls a second with one thread, {two:.0} with two");
}

#[test]
fn a_domain_cannot_leave_by_anothers_door() {
    let Some(_alone) = alone() else { return };
    let mut outer = start::<ProtectionKeys>();
    let event = enter(&mut outer, Shim::CallBack, 0, 0, 1);
    assert!(matches!(event, Ok(Event::Callback { .. })));
    let victim = canaries();
    let mut inner = attacker(&victim);
    let writes = writes();
    for index in 0..16 {
        for place in &writes {
            // The host's rights, and the number of each domain.
            aim_and_attack(&mut inner, &victim, *place, 0x5555_5550, index);
        }
    }
    assert_eq!(outer.resume(Reply::Return), Ok(Event::Returned));
}
