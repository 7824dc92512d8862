//! The one error type: what a user can act on.

use core::fmt;
use core::time::Duration;

use crate::text::Text;

/// Shorthand for results of foreign operations.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Bits that are not a valid value of the Rust type that was read.
///
/// The paper's type safety guarantee: such bits never become a Rust value.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::Error;
///
/// # let byte = library.alloc(3_u8)?;
/// # let flag = library.upgrade(byte.as_ref().as_ptr().cast::<bool>())?;
/// let read = library.read(flag); // the library wrote 3 where its header has a `bool`
/// let Err(Error::InvalidValue(invalid)) = read else { panic!("{read:?}") };
/// assert_eq!((invalid.type_name, invalid.value, invalid.valid), ("bool", 3, &[0, 1][..]));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    /// The type as named in the C header or in Rust.
    pub type_name: &'static str,
    /// The bits, read as an integer of the type's size and signedness.
    pub value: i128,
    /// Every valid value if there are few, otherwise empty.
    pub valid: &'static [i128],
}

/// What kind of fault stopped foreign code.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An access to memory that is not there or not allowed (`SIGSEGV`).
    Access,
    /// The stack ran into its guard page.
    StackOverflow,
    /// An access beyond the backing object or misaligned (`SIGBUS`).
    Bus,
    /// An instruction that does not exist or is not allowed (`SIGILL`).
    IllegalInstruction,
    /// A division by zero or another arithmetic trap (`SIGFPE`).
    Arithmetic,
    /// A breakpoint or trace trap (`SIGTRAP`).
    Trap,
    /// A call of the environment that does not exist (RISC-V's `ecall`).
    EnvironmentCall,
    /// The library aborted: `abort`, a failed assertion, stack smashing detected.
    Abort,
    /// Another signal ended the worker.
    Signal(i32),
}

/// A fault in foreign code. `place` is what the faulting domain reported: a hint, not evidence.
///
/// ```
/// # omniglot_mock::example([omniglot_mock::Step::Fail(omniglot_core::Error::Fault(omniglot_core::Fault {
/// #     kind: omniglot_core::FaultKind::Abort,
/// #     address: 0x1234,
/// #     place: omniglot_core::Text::new("libparts.so parts_check+0x8"),
/// # }))], |library| {
/// # use omniglot_mock::run as decode;
/// use omniglot_core::{Error, FaultKind};
///
/// match decode(library) {
///     Err(Error::Fault(fault)) if fault.kind == FaultKind::Abort => {
///         eprintln!("an assertion of the library failed: {}", fault.place); // a bug report
///     }
///     Err(Error::Fault(fault)) => eprintln!("{:#x} in {}", fault.address, fault.place),
///     outcome => outcome?,
/// }
/// # assert_eq!(library.poisoned(), Some(omniglot_core::Cause::Fault));
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// The accessed address, or that of the instruction if there is none.
    pub address: usize,
    /// Library, function, and the source's line, if the library has debug information, such as
    /// `gadget: gadget_parse (gadget.c:42)`; else the offset: `libpng16.so.16: png_read_row+0x1c`.
    /// Empty if unknown. Of a library in a process also who had called the C library, if it was
    /// there, and the last line that the library wrote before it ended itself.
    pub place: Text,
}

/// Why an instance is poisoned.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A fault in foreign code.
    Fault,
    /// A system call that is not allowed.
    SyscallDenied,
    /// A call ran out of time.
    Timeout,
    /// Another thread interrupted a call.
    Interrupted,
    /// Foreign code ended its process.
    Exited,
    /// A callback abandoned the foreign call, or panicked in it.
    Abandoned,
    /// A `longjmp` left the innermost call.
    NonLocalExit,
    /// The domain broke the protocol between host and domain.
    Protocol,
    /// A reset that failed; resetting again may succeed.
    Reset,
}

/// Everything that can go wrong between a host and a foreign library.
///
/// `Debug` prints the same text as `Display`, so that a `main` that returns it says what to do.
///
/// ```
/// # omniglot_mock::example([omniglot_mock::Step::Fail(omniglot_core::Error::Interrupted)], |library| {
/// # use omniglot_mock::run as decode;
/// use omniglot_core::Error;
///
/// // Most programs pass errors on. Some can do better with a few of them:
/// match decode(library) {
///     Ok(()) => {}
///     Err(Error::Timeout { .. }) => eprintln!("the image is too complex"),
///     Err(error) if error.poisons().is_some() => {
///         eprintln!("{error}"); // a damaged or hostile image
///         library.reset()?;
///     }
///     Err(error) => return Err(error),
/// }
/// # library.alloc(7_u32)?;
/// # Ok(())
/// # });
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The bits are not a valid value of the type.
    InvalidValue(InvalidValue),
    /// A foreign string is not UTF-8.
    InvalidUtf8 {
        /// Where the string starts; 0 if it was copied out before.
        address: usize,
        /// How many bytes of it are valid.
        valid_up_to: usize,
    },
    /// A foreign string has no terminating NUL within the bytes that were allowed.
    Unterminated {
        /// Where the string starts.
        address: usize,
        /// How many bytes were searched.
        max: usize,
    },
    /// A string for foreign code contains a NUL.
    InteriorNul {
        /// Where the NUL is, in bytes.
        position: usize,
    },
    /// An address range is not (wholly) in the domain's memory.
    OutOfRange {
        /// Where the range starts.
        address: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// An address range is in the domain's memory, but even the library may only read it:
    /// its code and constants.
    ReadOnly {
        /// Where the range starts.
        address: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// An address is not aligned for its type.
    Misaligned {
        /// The address.
        address: usize,
        /// What it must be a multiple of.
        align: usize,
    },
    /// A length differs from what it must be.
    LengthMismatch {
        /// What it must be, in elements.
        expected: usize,
        /// What it is.
        actual: usize,
    },
    /// A zero-sized type cannot be in foreign memory.
    ZeroSized {
        /// The type.
        type_name: &'static str,
    },
    /// A size beyond `isize::MAX` bytes.
    TooLarge {
        /// How many elements were asked for.
        elements: usize,
    },
    /// A reference belongs to another instance, or to this one before it was reset.
    WrongInstance,
    /// A reference is to memory of a scope that has ended.
    Stale,
    /// Foreign code faulted.
    Fault(Fault),
    /// Foreign code made a system call that it may not make.
    SyscallDenied {
        /// The system call's name, or `unknown`.
        name: &'static str,
        /// Its number; [`HIDDEN_NUMBER`](Self::HIDDEN_NUMBER) if foreign code prevented it from
        /// being recorded.
        number: u64,
        /// Who asked, as for a fault, such as `libmagic.so.1: magic_load+0x5`, and
        /// for which path, if the call names one. It is what the domain said, as in [`Fault`]:
        /// a hint, not evidence; empty if unknown.
        place: Text,
    },
    /// Foreign code ran longer than allowed; callbacks in the host do not count.
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// Another thread interrupted the call.
    Interrupted,
    /// Foreign code ended its process.
    Exited {
        /// The exit status, unless another part of the host collected it.
        status: Option<i32>,
    },
    /// An earlier failure left the instance unusable; reset it, or build a new one.
    Poisoned {
        /// The earlier failure.
        by: Cause,
    },
    /// A callback abandoned the foreign call.
    Abandoned,
    /// Foreign code called a callback that is already running.
    CallbackBusy,
    /// Foreign code called a callback that does not exist (any more).
    NoSuchCallback {
        /// The slot that was called.
        slot: u32,
    },
    /// The foreign function was left by `longjmp`, not by returning.
    NonLocalExit,
    /// Calls and callbacks nest too deeply.
    TooDeep {
        /// How deep they may nest.
        limit: u32,
    },
    /// The domain's memory is used up.
    OutOfMemory {
        /// How many bytes were asked for.
        requested: usize,
    },
    /// The host has no memory left for a copy of foreign bytes.
    HostOutOfMemory {
        /// How many bytes were asked for.
        requested: usize,
    },
    /// The operation is not allowed here.
    Misuse(&'static str),
    /// Every callback slot of this signature is in use.
    NoCallbackSlot {
        /// The signature's name.
        signature: &'static str,
    },
    /// The bindings have no function of this name and type.
    NoSuchFunction {
        /// The name that was asked for.
        name: Text,
        /// The signature's name.
        signature: &'static str,
    },
    /// A foreign function returned a status that means failure. Its text is untrusted.
    Status {
        /// The C function.
        function: &'static str,
        /// What it returned.
        code: i64,
        /// The library's message for it; empty if there is none.
        message: Text,
    },
    /// The library returned a null pointer instead of an object.
    Null {
        /// The object's type.
        type_name: &'static str,
    },
    /// Every protection key is in use.
    NoKeyLeft,
    /// The library could not be loaded.
    Load(Text),
    /// The library lacks a function that its header declares.
    MissingFunction(Text),
    /// This machine lacks something that is needed.
    Unsupported {
        /// What is missing.
        what: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The operating system refused something.
    System {
        /// What was tried.
        operation: &'static str,
        /// The error number; 0 if it is not known.
        errno: i32,
    },
    /// The instance belongs to the process that was forked, not to this one.
    Forked,
    /// The domain broke the protocol between host and domain.
    Protocol(&'static str),
}

impl Error {
    /// The number in [`SyscallDenied`](Self::SyscallDenied) if foreign code was ended for a system
    /// call that could not be recorded: it had removed the handler that records it, or the call was
    /// of another architecture.
    pub const HIDDEN_NUMBER: u64 = u64::MAX;

    /// Why the instance is unusable after this error of a call.
    ///
    /// `None` if the error does not tell: after [`NonLocalExit`](Self::NonLocalExit), and after an
    /// error with which a closure left its callback, see [`Base::poisoned`](crate::Base::poisoned).
    ///
    /// ```
    /// use omniglot_core::{Cause, Error};
    ///
    /// assert_eq!(Error::Interrupted.poisons(), Some(Cause::Interrupted)); // reset the instance
    /// assert_eq!(Error::Unterminated { address: 8, max: 64 }.poisons(), None); // go on
    /// ```
    #[must_use]
    pub fn poisons(&self) -> Option<Cause> {
        Some(match self {
            Self::Fault(_) => Cause::Fault,
            Self::SyscallDenied { .. } => Cause::SyscallDenied,
            Self::Timeout { .. } => Cause::Timeout,
            Self::Interrupted => Cause::Interrupted,
            Self::Exited { .. } => Cause::Exited,
            Self::Protocol(_) => Cause::Protocol,
            Self::Abandoned | Self::CallbackBusy | Self::NoSuchCallback { .. } => Cause::Abandoned,
            Self::Poisoned { by } => *by,
            _ => return None,
        })
    }
}

impl core::error::Error for Error {}

/// As `Display`.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl From<InvalidValue> for Error {
    fn from(invalid: InvalidValue) -> Self {
        Self::InvalidValue(invalid)
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is no value of {}", self.value, self.type_name)?;
        for (index, value) in self.valid.iter().enumerate() {
            let separator = if index == 0 { "; valid: " } else { ", " };
            write!(out, "{separator}{value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Access => "forbidden memory access",
            Self::StackOverflow => "stack overflow",
            Self::Bus => "bus error",
            Self::IllegalInstruction => "illegal instruction",
            Self::Arithmetic => "arithmetic trap",
            Self::Trap => "breakpoint trap",
            Self::EnvironmentCall => "forbidden environment call",
            Self::Abort => "abort",
            Self::Signal(number) => return write!(out, "signal {number}"),
        };
        out.write_str(text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {:#x}", self.kind, self.address)?;
        write_place(out, &self.place)
    }
}

fn write_place(out: &mut fmt::Formatter<'_>, place: &Text) -> fmt::Result {
    let place = place.as_str();
    if place.is_empty() { Ok(()) } else { write!(out, " in {place}") }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Fault => "a fault",
            Self::SyscallDenied => "a denied system call",
            Self::Timeout => "a timeout",
            Self::Interrupted => "an interruption",
            Self::Exited => "the end of its process",
            Self::Abandoned => "an abandoned call",
            Self::NonLocalExit => "a longjmp out of a nested call",
            Self::Protocol => "a broken protocol",
            Self::Reset => "a reset that failed",
        })
    }
}

/// What the user can do about a system call that was denied. A path at the end of `place` is what
/// foreign code asked for.
fn remedy(name: &str, place: &str) -> &'static str {
    match name {
        "clock_gettime" | "clock_getres" | "gettimeofday" | "time" | "clock_nanosleep"
        | "nanosleep" => "; `.allow(Permission::Clock)` permits it",
        "getrandom" => "; `.allow(Permission::Random)` permits it",
        "write" | "writev" => "; `.allow(Permission::Stderr)` permits it for standard error",
        "clone" | "clone3" => {
            "; `.allow(Permission::Threads(n))` permits n threads in a worker process, and nothing \
             permits another process"
        }
        "mmap" | "mprotect" => {
            "; `.allow(Permission::ExecutableMemory)` permits memory for code, and \
             `.plugin_directory(..)` gives the library what it loads with `dlopen`"
        }
        "mkdir" | "mkdirat" | "rename" | "renameat" | "renameat2" | "rmdir" | "truncate"
        | "unlink" | "unlinkat" | "chmod" | "fchmodat" | "utimensat" => TMP,
        "open" | "openat" | "access" | "faccessat" | "faccessat2" | "stat" | "lstat"
        | "newfstatat" | "statx" | "readlink" | "readlinkat" | "statfs" => {
            if is_for_tmp(place) {
                TMP
            } else {
                "; `.file(..)` or `.directory(..)` gives the library what it looks for, and \
                 without `.strict()` it is told that there is no such file"
            }
        }
        _ => "; nothing permits it",
    }
}

const TMP: &str = "; `.tmp(bytes)` gives the library a `/tmp` of its own, where it can make files";

fn is_for_tmp(place: &str) -> bool {
    place.rsplit_once(" for \"").is_some_and(|(_, path)| path.starts_with("/tmp"))
}

/// What an error number of Linux means, and a remedy that does not depend on the operation.
const fn meaning(errno: i32) -> &'static str {
    match errno {
        1 => " (EPERM: not permitted)",
        2 => " (ENOENT: no such file)",
        11 => " (EAGAIN: no process or thread more is allowed; raise ulimit -u or pids.max)",
        12 => " (ENOMEM: no memory or address space; see ulimit -v and memory.max)",
        13 => " (EACCES: no access)",
        23 => " (ENFILE: the system has too many open files; raise fs.file-max)",
        24 => " (EMFILE: the process has too many open files; raise ulimit -n)",
        27 => " (EFBIG: the file is too large; raise ulimit -f)",
        28 => " (ENOSPC: no space left)",
        38 => " (ENOSYS: the kernel has no such system call)",
        _ => "",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidValue(invalid) => write!(out, "invalid value: {invalid}"),
            Self::InvalidUtf8 { address: 0, valid_up_to } => {
                write!(out, "the foreign text is not UTF-8 after {valid_up_to} bytes")
            }
            Self::InvalidUtf8 { address, valid_up_to } => {
                write!(
                    out,
                    "the foreign string at {address:#x} is not UTF-8 after {valid_up_to} bytes"
                )
            }
            Self::Unterminated { address, max } => {
                write!(out, "no NUL within {max} bytes of the foreign string at {address:#x}")
            }
            Self::InteriorNul { position } => {
                write!(out, "the string has a NUL at byte {position}; C strings end there")
            }
            Self::OutOfRange { address, len } => {
                write!(out, "{len} bytes at {address:#x} are not in the foreign library's memory")
            }
            Self::ReadOnly { address, len } => {
                write!(out, "{len} bytes at {address:#x} are the foreign library's to read only")
            }
            Self::Misaligned { address, align } => {
                write!(out, "the address {address:#x} is no multiple of {align}")
            }
            Self::LengthMismatch { expected, actual } => {
                write!(out, "a length of {actual} where it must be {expected}")
            }
            Self::ZeroSized { type_name } => {
                write!(out, "{type_name} has no size, so it has no place in foreign memory")
            }
            Self::TooLarge { elements } => {
                write!(out, "{elements} elements exceed the address space")
            }
            Self::WrongInstance => out.write_str(
                "the reference belongs to another instance, or to this one before it was reset",
            ),
            Self::Stale => out.write_str(
                "the memory belonged to a scope that has ended; use it in the scope, or take it \
                 with alloc",
            ),
            Self::Fault(fault) => write!(out, "foreign code faulted: {fault}"),
            Self::SyscallDenied { number: Self::HIDDEN_NUMBER, .. } => {
                out.write_str("foreign code made a denied system call and hid which")
            }
            Self::SyscallDenied { name: "unknown", number, place } => {
                write!(out, "foreign code made a denied system call: system call {number}")?;
                write_place(out, place)
            }
            Self::SyscallDenied { name, number, place } => {
                write!(out, "foreign code made a denied system call: {name} ({number})")?;
                write_place(out, place)?;
                out.write_str(if cfg!(feature = "std") { remedy(name, place.as_str()) } else { "" })
            }
            Self::Timeout { limit } => write!(out, "foreign code ran longer than {limit:?}"),
            Self::Interrupted => out.write_str("the call was interrupted from another thread"),
            Self::Exited { status: Some(status) } => {
                write!(out, "foreign code ended its process with status {status}")
            }
            Self::Exited { status: None } => out.write_str("foreign code ended its process"),
            Self::Poisoned { by } => {
                write!(out, "the instance is unusable after {by}; reset it or build a new one")
            }
            Self::Abandoned => out.write_str("a callback abandoned the foreign call"),
            Self::CallbackBusy => out.write_str("foreign code called a callback that was running"),
            Self::NoSuchCallback { slot } => {
                write!(out, "foreign code called callback slot {slot}, which is empty")
            }
            Self::NonLocalExit => out.write_str("the foreign function was left by longjmp"),
            Self::TooDeep { limit } => write!(out, "calls and callbacks nest deeper than {limit}"),
            Self::OutOfMemory { requested } => {
                write!(out, "no room for {requested} bytes in the domain; raise memory_limit")
            }
            Self::HostOutOfMemory { requested } => {
                write!(out, "the host has no room for a copy of {requested} foreign bytes")
            }
            Self::Misuse(what) => out.write_str(what),
            Self::NoCallbackSlot { signature } => write!(
                out,
                "every callback slot of {signature} is in use; raise callback_slots in build.rs"
            ),
            Self::NoSuchFunction { name, signature } => {
                write!(out, "no function `{name}` of the type {signature} is bound")
            }
            Self::Status { function, code, message } => {
                write!(out, "{function} failed with status {code}")?;
                let text = message.as_str();
                if text.is_empty() { Ok(()) } else { write!(out, ": {text}") }
            }
            Self::Null { type_name } => {
                write!(out, "the library gave no {type_name}: the pointer is null")
            }
            Self::NoKeyLeft => out.write_str("every protection key is in use"),
            Self::Load(text) => write!(out, "the library could not be loaded: {text}"),
            Self::MissingFunction(name) => {
                write!(out, "the library that was loaded has no function {name}")
            }
            Self::Unsupported { what, remedy } => write!(out, "unsupported: {what}; {remedy}"),
            Self::System { operation, errno: 0 } => {
                write!(out, "the operating system refused {operation}")
            }
            Self::System { operation, errno } => {
                write!(out, "the operating system refused {operation}: error {errno}")?;
                out.write_str(if cfg!(feature = "std") { meaning(*errno) } else { "" })
            }
            Self::Forked => out.write_str(
                "the instance belongs to the parent process; build a new one after fork",
            ),
            Self::Protocol(what) => write!(out, "the domain broke the protocol: {what}"),
        }
    }
}
