//! Attempts to reach other processes and the outside world.

use omniglot::{Result, Runtime};

use super::attack::{Api, Attack, Must, attack};
use super::canaries::Targets;
use super::machine::VFORK;

/// Tries something. Returns true if it worked.
type Attempt<R> = fn(&mut Api<R>, &Targets) -> Result<bool>;

/// Attacks that the kernel stops, with the name of the denied system call.
fn denied<R: Runtime>() -> [(&'static str, &'static str, Attempt<R>); 12] {
    [
        ("fork", "clone", |api, _| Ok(api.try_fork()? >= 0)),
        ("vfork", VFORK, |api, _| Ok(api.try_vfork()? >= 0)),
        ("execute", "execve", |api, _| {
            with_path(api, "/bin/sh", |api, path| Ok(api.try_exec(path)? == 0))
        }),
        ("socket", "socket", |api, _| Ok(api.try_socket(1, 1)? >= 0)),
        ("internet", "socket", |api, _| Ok(api.try_socket(2, 1)? >= 0)),
        ("raw_packets", "socket", |api, _| Ok(api.try_socket(17, 3)? >= 0)),
        ("kill_the_host", "kill", |api, targets| Ok(api.try_kill(targets.process)? == 0)),
        ("kill_everybody", "kill", |api, _| Ok(api.try_kill(-1)? == 0)),
        ("trace_the_host", "ptrace", |api, targets| Ok(api.try_trace(targets.process)? == 0)),
        ("write_the_host", "process_vm_writev", |api, targets| {
            write_process(api, targets, targets.heap)
        }),
        ("write_the_hosts_stack", "process_vm_writev", |api, targets| {
            write_process(api, targets, targets.stack)
        }),
        ("open_a_descriptor_of_the_host", "pidfd_open", |api, targets| {
            const PIDFD_OPEN: i64 = 434;
            Ok(api.system_call(PIDFD_OPEN, i64::from(targets.process), 0, 0, 0, 0, 0)? >= 0)
        }),
    ]
}

/// Attacks that achieve nothing in a domain with a server: the file does not exist, and the time is
/// only the server's own.
fn absent<R: Runtime>() -> [(&'static str, Attempt<R>); 4] {
    [
        ("open_host_memory", |api, targets| open(api, &format!("/proc/{}/mem", targets.process))),
        ("open_own_memory", |api, _| open(api, "/proc/self/mem")),
        ("open_passwords", |api, _| open(api, "/etc/passwd")),
        ("sleep", |api, _| Ok(api.try_sleep()? != 0)),
    ]
}

/// Requests that a domain's server answers itself, without an effect outside: output goes to the
/// domain's own memory, and no handler is ever called.
fn pretended<R: Runtime>() -> [(&'static str, Attempt<R>); 3] {
    [
        ("own_signal_handler", |api, _| Ok(api.try_handler()? == 0)),
        ("write_to_standard_error", |api, _| write_to(api, 2)),
        ("write_to_standard_output", |api, _| write_to(api, 1)),
    ]
}

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let denied = denied().map(|(name, call, attempt)| {
        attack(format!("processes::{name}"), Must::Deny(call), attempt)
            .in_region(Must::Deny(in_musl(call)))
    });
    let absent =
        absent().map(|(name, attempt)| attack(format!("processes::{name}"), Must::Pass, attempt));
    let pretended =
        pretended().map(|(name, attempt)| attack(format!("processes::{name}"), Must::Run, attempt));
    let own_code =
        attack("processes::own_code", Must::Pass, |api, _| Ok(api.try_executable()? != 0));
    // There is no memory for its stack, or no system call to start it.
    let thread = attack("processes::thread", Must::EndSomehow, |api, _| Ok(api.try_thread()? == 0));
    denied.into_iter().chain(absent).chain(pretended).chain([own_code, thread]).collect()
}

/// What the C library of sandboxed images makes where glibc makes that system call.
fn in_musl(call: &'static str) -> &'static str {
    if call == "clone" { "fork" } else { call }
}

fn with_path<R: Runtime>(
    api: &mut Api<R>,
    path: &str,
    attempt: impl FnOnce(&mut Api<R>, omniglot::Ptr<core::ffi::c_char>) -> Result<bool>,
) -> Result<bool> {
    let path = api.alloc_str(path)?;
    attempt(api, path.as_slice().as_ptr())
}

fn open<R: Runtime>(api: &mut Api<R>, path: &str) -> Result<bool> {
    with_path(api, path, |api, path| Ok(api.try_open(path)? >= 0))
}

fn write_process<R: Runtime>(api: &mut Api<R>, targets: &Targets, address: usize) -> Result<bool> {
    Ok(api.try_write_process(targets.process, address, 0)? >= 0)
}

fn write_to<R: Runtime>(api: &mut Api<R>, descriptor: i64) -> Result<bool> {
    const WRITE: i64 = syscalls::Sysno::write as i64;
    let text = api.alloc_str("written by an attacker\n")?;
    let address = text.as_slice().as_ptr().addr() as i64;
    Ok(api.system_call(WRITE, descriptor, address, text.len() as i64, 0, 0, 0)? >= 0)
}
