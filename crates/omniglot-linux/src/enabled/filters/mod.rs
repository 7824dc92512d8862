//! Which system calls a worker may make, as BPF programs (seccomp(2)).
//!
//! A call is allowed, fails with an error number, or comes back to the worker as a signal. Then the
//! worker's own server answers it (`worker/server`), or the worker ends with a report that names
//! it. A call of another architecture kills the worker at once.
//!
//! While a library is loaded, the dynamic linker and libc run, and each of their versions makes
//! other calls. So a call that is in no list here does not end the worker then. It fails with
//! `ENOSYS`, as on a kernel without that call, for which every libc that uses a new call is
//! prepared. It traps nevertheless, so that the worker can record which call it was before it
//! continues. After loading, all calls but three come back to the worker; one that its server does
//! not know ends it.

pub(super) mod policy;
mod range;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use omniglot_core::{Error, Result};
use rustix::fs::OFlags;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};
use syscalls::Sysno;

use self::policy::{
    CLOCK, EACCES, ENOMEM, EPERM, LOAD, LOAD_ENDS, LOAD_REFUSALS, RANDOM, Refusals, SERVE,
    STDERR_WRITES, WAITS,
};
use super::machine;
use crate::options::{Permission, Permissions};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type FilterResult<T> = core::result::Result<T, BackendError>;

const ENOSYS: u32 = 38;
/// A placeholder for an action that the crate cannot express; no filter uses it.
const PLACE: SeccompAction = SeccompAction::Trace(0);
/// `BPF_RET | BPF_K` and `BPF_JMP | BPF_JA` of linux/bpf_common.h.
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
/// `SECCOMP_RET_USER_NOTIF`, Linux 5.0.
const ASK_USER: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_TRAP`; the signal's `si_errno` is the number that is added.
const TRAP: u32 = 0x0003_0000;
const ETIMEDOUT: u32 = 110;
const STDERR: u64 = 2;
/// `FUTEX_WAKE`; `FUTEX_WAIT` and `FUTEX_WAIT_BITSET`.
const FUTEX_WAKE: u64 = 1;
const FUTEX_WAITS: [u64; 2] = [0, 9];
/// `MADV_POPULATE_READ`, Linux 5.14.
const POPULATE_READ: u64 = 22;
/// `WINDOW_FD` and `SERVE_PROGRAM` of `worker/control.h`.
const WINDOW_FILE: u64 = 3;
const SERVE_PROGRAM: u64 = 0x2000_0000;
/// `SECCOMP_SET_MODE_FILTER`.
const SET_MODE_FILTER: u64 = 1;

/// All flags that `openat` may have. Truncation does not count as writing for Landlock before Linux
/// 6.2, and Landlock does not check a file that is only held (`O_PATH`).
pub(super) const READING: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::LARGEFILE);

/// The filters of one worker, as the worker passes them to the kernel.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    /// From the dynamic linker's first instruction on.
    pub(super) load: Vec<u8>,
    /// From the first call on, in addition to the other.
    pub(super) serve: Vec<u8>,
    /// Makes the host open files; only if there is no Landlock.
    pub(super) ask: Vec<u8>,
}

/// The filters for a worker with these permissions in which foreign code may map memory
/// in that range of addresses.
pub(super) fn filters(allow: Permissions, range: &Range<u64>) -> Result<Filters> {
    let known = known(allow)?;
    let mut load = bytes_of(&range::refuse_outside(range));
    load.extend_from_slice(&known.load);
    Ok(Filters { load, serve: known.serve.clone(), ask: known.ask.clone() })
}

/// The parts that do not depend on the range; those of the last request are cached.
fn known(allow: Permissions) -> Result<Arc<Filters>> {
    type Known = Option<(Permissions, Arc<Filters>)>;
    static LAST: Mutex<Known> = Mutex::new(None);
    // Never locked for long: a forked child finds a lock as it was.
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, filters)) = last().as_ref().filter(|known| known.0 == allow) {
        return Ok(Arc::clone(filters));
    }
    let fresh = Arc::new(build(allow)?);
    *last() = Some((allow, Arc::clone(&fresh)));
    Ok(fresh)
}

fn build(allow: Permissions) -> Result<Filters> {
    let unsupported = |_| Error::Unsupported {
        what: "the system call filters could not be built",
        remedy: "report this as a defect of omniglot-linux",
    };
    Ok(Filters {
        load: load_filter(allow).map_err(unsupported)?,
        serve: serve_filter(allow).map_err(unsupported)?,
        ask: ask_filter().map_err(unsupported)?,
    })
}

fn load_filter(allow: Permissions) -> FilterResult<Vec<u8>> {
    let mut allowed = unconditional(&LOAD.concat());
    allow_permitted(&mut allowed, allow)?;
    // The window's file is the only one that may be written.
    insert_if_equal(&mut allowed, Sysno::pwrite64, &[(0, WINDOW_FILE)])?;
    // A worker may read its own limits only.
    insert_if_equal(&mut allowed, Sysno::prlimit64, &[(0, 0), (2, 0)])?;
    // The loader populates pages before it copies them.
    insert_if_equal(&mut allowed, Sysno::madvise, &[(2, POPULATE_READ)])?;
    // Other commands map the kernel's clock, among others.
    if let Some((call, command)) = machine::SET_THREAD_POINTER {
        insert_if_equal(&mut allowed, call, &[(0, command)])?;
    }
    // The only filter that may be added is the one for calls: another could make the loader's own
    // calls seem to succeed.
    let filter = [(0, SET_MODE_FILTER), (1, 0), (2, SERVE_PROGRAM)];
    insert_if_equal(&mut allowed, Sysno::seccomp, &filter)?;
    let mut program = refuse_uncounted_memory()?;
    program.extend(refuse_unless(&[Sysno::madvise], 2, POPULATE_READ)?);
    if let Some((call, command)) = machine::SET_THREAD_POINTER {
        program.extend(refuse_unless(&[call], 0, command)?);
    }
    program.extend(open_for_reading()?);
    if allow.contains(Permission::Stderr) {
        program.extend(refuse_more_of_stderr()?);
    }
    program.extend(refuse_all(&LOAD_REFUSALS, &allowed)?);
    program.extend(wait_and_wake(allow)?);
    program.extend(compile_part(allowed, SeccompAction::Allow)?);
    program.extend(compile_part(unconditional(&LOAD_ENDS.concat()), SeccompAction::Trap)?);
    program.push(answer(TRAP | ENOSYS));
    Ok(bytes_of(&program))
}

fn serve_filter(allow: Permissions) -> FilterResult<Vec<u8>> {
    let mut allowed = unconditional(SERVE);
    allow_permitted(&mut allowed, allow)?;
    allowed.insert(Sysno::futex as i64, waits_and_wakes(allow)?);
    if allow.contains(Permission::ExecutableMemory) {
        // In the domain's memory only: the filter for loading stays, and looks where.
        allowed.insert(Sysno::mprotect as i64, Vec::new());
    }
    if allow.threads() > 0 {
        // Who spins for another thread lets it run.
        allowed.insert(Sysno::sched_yield as i64, Vec::new());
    }
    Ok(bytes_of(&compile(allowed, SeccompAction::Trap, SeccompAction::Allow)?))
}

/// Opening a file notifies the host; everything else is left to the other filters.
///
/// The crate has no action for notifications.
fn ask_filter() -> FilterResult<Vec<u8>> {
    let place = u32::from(PLACE);
    let mut program = compile(unconditional(&[Sysno::openat]), SeccompAction::Allow, PLACE)?;
    for instruction in program.iter_mut().filter(|instruction| instruction.k == place) {
        instruction.k = ASK_USER;
    }
    Ok(bytes_of(&program))
}

fn unconditional(calls: &[Sysno]) -> Rules {
    calls.iter().map(|call| (*call as i64, Vec::new())).collect()
}

fn allow_permitted(rules: &mut Rules, allow: Permissions) -> FilterResult<()> {
    if allow.contains(Permission::Clock) {
        rules.append(&mut unconditional(&[CLOCK, WAITS].concat()));
    }
    if allow.contains(Permission::Random) {
        rules.append(&mut unconditional(RANDOM));
    }
    if allow.contains(Permission::Stderr) {
        for call in STDERR_WRITES {
            insert_if_equal(rules, *call, &[(0, STDERR)])?;
        }
    }
    Ok(())
}

/// Permits the commands of `futex` that the channel and locks of one thread need: wake, and wait
/// without a time limit. A wait with a time limit would reveal whether that time has passed, which
/// is a clock. Such waits return at once, since no other thread could wake the worker (during calls
/// the server answers so). Other commands do not exist.
fn wait_and_wake(allow: Permissions) -> FilterResult<BpfProgram> {
    let waits = FUTEX_WAITS
        .map(|command| SeccompRule::new(vec![futex_command(command)?]))
        .into_iter()
        .collect::<FilterResult<Vec<_>>>()?;
    let futex = |rules| Rules::from([(Sysno::futex as i64, rules)]);
    let mut program = compile_part(futex(waits_and_wakes(allow)?), SeccompAction::Allow)?;
    program.extend(compile_part(futex(waits), SeccompAction::Errno(ETIMEDOUT))?);
    program.extend(refuse(&[Sysno::futex], ENOSYS, &Rules::new())?);
    Ok(program)
}

/// Which commands of `futex` are carried out. Other threads can wake before a time has passed, and
/// are a clock anyway; until which time that is, by the domain's own clock, its server works out.
fn waits_and_wakes(allow: Permissions) -> FilterResult<Vec<SeccompRule>> {
    let mut allowed = vec![SeccompRule::new(vec![futex_command(FUTEX_WAKE)?])?];
    for command in FUTEX_WAITS {
        let mut conditions = vec![futex_command(command)?];
        let for_a_time = command == FUTEX_WAITS[0] && allow.threads() > 0;
        if !allow.contains(Permission::Clock) && !for_a_time {
            let length = SeccompCmpArgLen::Qword;
            conditions.push(SeccompCondition::new(3, length, SeccompCmpOp::Eq, 0)?);
        }
        allowed.push(SeccompRule::new(conditions)?);
    }
    Ok(allowed)
}

/// The other bits of the argument are flags.
fn futex_command(command: u64) -> FilterResult<SeccompCondition> {
    let only_command = SeccompCmpOp::MaskedEq(0x7f);
    SeccompCondition::new(1, SeccompCmpArgLen::Dword, only_command, command)
}

fn insert_if_equal(rules: &mut Rules, call: Sysno, arguments: &[(u8, u64)]) -> FilterResult<()> {
    let conditions = arguments
        .iter()
        .map(|(index, value)| {
            SeccompCondition::new(*index, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, *value)
        })
        .collect::<FilterResult<Vec<_>>>()?;
    rules.insert(call as i64, vec![SeccompRule::new(conditions)?]);
    Ok(())
}

/// Calls that fail with an error number, except those with rules of their own.
fn refuse_all(refusals: &Refusals, except: &Rules) -> FilterResult<BpfProgram> {
    let mut program = refuse(refusals.ignored, 0, except)?;
    program.extend(refuse(refusals.no_memory, ENOMEM, except)?);
    program.extend(refuse(refusals.not_permitted, EPERM, except)?);
    program.extend(refuse(refusals.no_access, EACCES, except)?);
    Ok(program)
}

/// The limit on private memory (`RLIMIT_DATA`) counts neither shared memory of no file
/// nor stacks.
fn refuse_uncounted_memory() -> FilterResult<BpfProgram> {
    const SHARED_ANONYMOUS: u64 = 0x21;
    const GROWS_DOWN: u64 = 0x100;
    let has_flags = |flags| {
        let all = SeccompCmpOp::MaskedEq(flags);
        SeccompRule::new(vec![SeccompCondition::new(3, SeccompCmpArgLen::Dword, all, flags)?])
    };
    let chain = vec![has_flags(SHARED_ANONYMOUS)?, has_flags(GROWS_DOWN)?];
    let rules = Rules::from([(Sysno::mmap as i64, chain)]);
    compile_part(rules, SeccompAction::Errno(ENOMEM))
}

/// Files may only be opened for reading. Which files is not decided here, since filters do not see
/// paths.
fn open_for_reading() -> FilterResult<BpfProgram> {
    let others = u64::from(!READING.bits());
    let none = SeccompCmpOp::MaskedEq(others);
    let flags = SeccompCondition::new(2, SeccompCmpArgLen::Dword, none, 0)?;
    let rules = Rules::from([(Sysno::openat as i64, vec![SeccompRule::new(vec![flags])?])]);
    let mut program = compile_part(rules, SeccompAction::Allow)?;
    program.extend(refuse(&[Sysno::openat], EACCES, &Rules::new())?);
    Ok(program)
}

/// The host's standard error may be a terminal, whose input must not be read, or a file, whose
/// beginning must not be overwritten. Descriptors have 32 bits.
fn refuse_more_of_stderr() -> FilterResult<BpfProgram> {
    let rule_for = |argument| {
        let length = SeccompCmpArgLen::Dword;
        let stderr = SeccompCondition::new(argument, length, SeccompCmpOp::Eq, STDERR)?;
        Ok(vec![SeccompRule::new(vec![stderr])?])
    };
    let mut rules = Rules::from([(Sysno::mmap as i64, rule_for(4)?)]);
    for call in [Sysno::getdents64, Sysno::lseek, Sysno::pread64, Sysno::read] {
        rules.insert(call as i64, rule_for(0)?);
    }
    compile_part(rules, SeccompAction::Errno(EPERM))
}

/// The start of a program that refuses these calls, except those with rules of their own, and then
/// continues with what is appended.
fn refuse(calls: &[Sysno], errno: u32, except: &Rules) -> FilterResult<BpfProgram> {
    let calls: Vec<Sysno> =
        calls.iter().copied().filter(|call| !except.contains_key(&(*call as i64))).collect();
    compile_part(unconditional(&calls), SeccompAction::Errno(errno))
}

/// As [`refuse`], for calls that are allowed if an argument has that value.
fn refuse_unless(calls: &[Sysno], argument: u8, value: u64) -> FilterResult<BpfProgram> {
    let other = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, value)?;
    let rule = vec![SeccompRule::new(vec![other])?];
    let rules = calls.iter().map(|call| (*call as i64, rule.clone())).collect();
    compile_part(rules, SeccompAction::Errno(EPERM))
}

/// A program that continues with what is appended to it unless a rule matches.
///
/// The crate returns where no rule of a call matches, and at the end for calls without rules: those
/// returns become jumps.
fn compile_part(rules: Rules, matched: SeccompAction) -> FilterResult<BpfProgram> {
    let place = u32::from(PLACE);
    let mut program = compile(rules, PLACE, matched)?;
    let end = program.len() as u32; // at most 4096, the kernel's limit
    for (at, instruction) in (1..).zip(&mut program) {
        if instruction.code == RETURN && instruction.k == place {
            (instruction.code, instruction.k) = (JUMP, end - at);
        }
    }
    Ok(program)
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> FilterResult<BpfProgram> {
    SeccompFilter::new(rules, otherwise, matched, machine::TARGET)?.try_into()
}

/// An instruction that ends a program with this answer, whatever was called.
const fn answer(k: u32) -> seccompiler::sock_filter {
    seccompiler::sock_filter { code: RETURN, jt: 0, jf: 0, k }
}

fn bytes_of(program: &BpfProgram) -> Vec<u8> {
    program.iter().flat_map(instruction_bytes).collect()
}

/// `struct sock_filter` of linux/filter.h.
fn instruction_bytes(instruction: &seccompiler::sock_filter) -> [u8; 8] {
    let [code_low, code_high] = instruction.code.to_ne_bytes();
    let [a, b, c, d] = instruction.k.to_ne_bytes();
    [code_low, code_high, instruction.jt, instruction.jf, a, b, c, d]
}
