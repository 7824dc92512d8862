//! The runtimes for Linux: an untrusted C library runs in a confined worker process, or in
//! the host's own process behind a memory protection key.
//!
//! [`Linux`] is one of the two, as [`Options::isolation`] says. [`Process::start`] loads a library
//! in a fresh process that has no files, no rights and almost no system calls. All of that
//! process's memory is one *window*, which the host maps, too. Calls go through a *channel* in that
//! window: a cache line on which both sides spin for a while and then sleep. Users meet this crate
//! through the crate `omniglot`.
//!
//! # How a worker starts
//!
//! 1. The host makes the window's memory (`mapping`), writes down what the worker
//!    must know (`layout`), and has one thread that never ends spawn the *stub*
//!    (`spawner`), a small static program of `worker/stub/`.
//! 2. The stub gives up all rights, takes all address space but the window, and
//!    starts the system's dynamic linker in it.
//! 3. The dynamic linker starts the *loader* (`worker/loader/`), which loads the
//!    library, makes libc's heap, and puts the window's memory in the place of
//!    everything that was mapped so far.
//! 4. The loader serves calls until the host kills it.
//!
//! The library may be hostile while it is loaded, since its constructors run then. What
//! confines it then: Landlock (files, sockets, signals; if the kernel
//! has none, or the worker may write to a pipe of the host, the host opens files for
//! the worker), a seccomp filter (system calls), no
//! capabilities, no new privileges, no descriptors of the host. After loading a
//! second filter leaves `futex` (to wait and to wake), `exit_group` and `rt_sigreturn`, and what
//! [`Permissions`] name.
//!
//! # In the host's process
//!
//! [`ProtectionKeys`] and [`Unprotected`] have a worker load the library, too, but then
//! end it, copy its window into memory that the worker never had, and run that on the
//! caller's thread (`in_process`):
//!
//! 1. `loading` and `memory` copy the window and map it twice: at the addresses that
//!    foreign code knows, and at a constant distance for the host, as data.
//! 2. `engine` runs one step of a call to its next event, and `execution` keeps what all these
//!    runtimes have alike: calls in progress, time limits, what foreign code left. `gate`
//!    (`gate.S`) changes between host and foreign code: stack, FS base, system calls on or off,
//!    and PKRU.
//! 3. System calls of foreign code and its faults arrive as signals: `handler` ends the
//!    call or resumes the thread through the gate, after a system call in the domain's own server
//!    (`worker/server`); `signals` calls the host's handlers.
//! 4. `watchdog` ends calls whose time is over.
//! 5. With keys, `gadgets` looks for instructions that could switch them off. The argument is
//!    in the project's `docs/protection-keys.md`.
//!
//! With the feature `in-process`, which all of these need, this crate defines `sigaction` and `signal` for the whole program, so that handlers of
//! the host never run with a domain's FS base and without system calls; and `mmap`, `mprotect`,
//! `pkey_mprotect`, `mremap`, `shmat` and `remap_file_pages`, so that no foreign code behind a
//! key runs while memory becomes executable, before that was looked at (`gadgets::changes`).
//!
//! # Limits
//!
//! - A library that is hostile while it is loaded has what the first filter allows until
//!   loading ends: reading the directories of libraries, seeing which files exist and what
//!   they are, random numbers, mapping memory in its window. It keeps none of it: the stub puts the
//!   second filter where nothing can change it, no other can be added, and the host looks
//!   whether it is there before it takes the worker for loaded.
//! - Foreign code runs on one thread, and on as many more as [`Permission::Threads`] says: the
//!   stub makes those, and no system call that would make one is carried out.
//! - Side channels between processes remain.
//!
//! # Soundness invariants
//!
//! Every `unsafe` block in this crate argues from these.
//!
//! 1. **Mapped.** A `Mapping` owns its whole address range, which stays readable until it is
//!    dropped, and writable but for the parts that were made read-only: the file behind it
//!    was sealed at its size before it was mapped.
//! 2. **No Rust objects.** The kernel chose the range of a mapping, or refuses one where
//!    anything is mapped, so no Rust object lives there; what does is foreign bytes, touched
//!    only through volatile copies ([`Window`](omniglot_core::Window)) and atomics (the
//!    channel).
//! 3. **Alive.** Whoever holds a pointer into a mapping holds an `Arc` of it.
//! 4. **Who writes.** A worker may write to its window at any time until it has ended. A
//!    domain in the host's process writes to its own only while one of its calls runs.
//! 5. **Reservations.** A domain's addresses in the host's process are reserved before its
//!    worker starts, and nothing but its own pages is mapped there until it is dropped.
//! 6. **Children have nothing.** Domains' memory in the host's process is left out of forked
//!    children, where regions are copies; whoever uses it checks the generation of processes first.
//! 7. **Handlers.** What signal handlers use is atomic or the kernel's own; they take no
//!    lock, allocate nothing and do not panic.
//! 8. **Gate contexts.** While a thread is in foreign code, its context says where the host's
//!    stack, FS base, selector and PKRU are, the thread's record names that context, and
//!    both live; nobody else enters the domain, since entering takes `&mut`.
//! 9. **Records.** A thread's record is at the end of its slot in the arena of alternate
//!    stacks, from its first entry to its end; the arena is never unmapped.
//! 10. **Keys.** Foreign code behind a key runs with a PKRU that opens nothing but its own
//!     window and, to read, the shared page; no executable memory of the process lets it
//!     write another without ending in an illegal instruction. Code that was not looked at is
//!     executable only while no thread is in foreign code behind a key.
//! 11. **Frames.** A `SignalFrame` is made of what the kernel gave to a signal handler, and used
//!     by that alone, until it returns: the kernel filled in all of it, and no other thread looks.
//! 12. **System calls.** What a system call, or a function of the C library, gets by pointer
//!     is null where its manual page allows that, or lives and is as large as the page
//!     demands until it returns. What it changes of the process or its memory belongs to
//!     this crate, to the calling thread, or to the caller who asked for it.
//! 13. **Kept for ever.** The pages of what all domains of a process share (its generation, the
//!     tables that the gate reads, selectors) are never unmapped while that process lives,
//!     and hold atomics or bytes of one thread each. What a process has once (`PerProcess`,
//!     `Addresses`) is never given back.
//! 14. **In the C library's place.** Who calls a function that this crate defines in the place of
//!     one of the C library's keeps that one's contract. It passes on what it got.
//! 15. **The C library's own.** Records, variables and functions that the C library or the dynamic
//!     linker shows are of the documented type, and live as long as is documented.
//! 16. **Host code.** An instruction of the host's is replaced by one that does the same, of its
//!     length, or where nobody runs it. Pages for code are known to nobody before they are
//!     whole.
//! 17. **Registers.** What assembly and intrinsics use the processor has, and what they change
//!     of its state is an output, is put back, or is what the caller asked for.
//! 18. **Regions.** What is executable in a region is a page of gates and code that was verified
//!     as it is in a sealed file; both are mapped read-only, from a sealed file, as long as the
//!     region's domain lives. Code that is entered at a line of them, with the base of `%gs:` and
//!     the stack pointer in the region, reads and writes that only, and what is beside it is not
//!     mapped (`omniglot-verify`).

// For the support module that unit tests share with integration tests.
#[cfg(test)]
extern crate self as omniglot_linux;

mod capabilities;
#[cfg(not(worker_processes))]
mod disabled;
// Some of it only runtimes in the host's process use.
#[cfg(worker_processes)]
#[cfg_attr(not(in_process), allow(dead_code))]
mod enabled;
#[cfg(not(in_process))]
mod left_out;
mod options;
mod request;
mod syscall_policy;

pub use capabilities::{
    Choice, Kernel, KeyTrial, Machine, Mechanisms, MemfdExec, Processor, Requirement,
};
#[cfg(not(worker_processes))]
pub use disabled::{InterruptHandle, Linux};
#[cfg(worker_processes)]
pub use enabled::{InterruptHandle, Linux, Process, ProtectionKeys, Sfi, Unprotected};
#[cfg(not(worker_processes))]
pub use left_out::{ProtectionKeys, Sfi, Unprotected};
pub use options::{FileSource, Isolation, LineSink, Options, Permission, Permissions};
pub use request::Request;
pub use syscall_policy::SyscallPolicy;
