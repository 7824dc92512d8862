//! Answers the system calls of foreign code, which the kernel turns into signals.
//!
//! None is executed as foreign code made it. Those that the user allows are made by the host, on
//! memory that was checked; those that end foreign code end the call. All others the server in the
//! domain answers (`worker/server`), to which the handler sends the thread; what it in turn asks the
//! host for changes nothing but the domain's own memory, or ends the call. Verified code makes no
//! system calls: it calls the server itself, and the gate what the server asks the host for.
//!
//! Everything here runs in signal handlers, or as if it did: no allocation, no locks, no panics. All
//! signals are blocked meanwhile, including the one that ends a call. So nothing waits for others, and
//! one call transfers a bounded number of bytes.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::atomic::Ordering;

use syscalls::Sysno;

use super::context::ForeignMemory;
use super::output::{self, MOST_BYTES, MOST_PIECES};
use crate::enabled::layout::{PAGE, WORLD_TIME};
use crate::enabled::system::last_error;
use crate::enabled::world;
use crate::options::{Permission, Permissions};

/// What a system call of foreign code gets.
pub(super) enum Answer {
    /// This result.
    Value(i64),
    /// The call must be repeated: it cannot be made now.
    Again,
    /// The call ends: foreign code aborted.
    Abort,
    /// The call ends at foreign code's request; the status is the first argument.
    Exit,
}

/// Who answers a system call of code with a server in its domain.
pub(super) enum Answered {
    /// The host.
    ByHost(Answer),
    /// The server, in the domain.
    ByServer,
    /// Nobody: the call ends, as the server in the domain says, with the number and where it was made.
    DeniedAt {
        /// Its number.
        number: u64,
        /// The instruction after it.
        instruction: u64,
        /// The stack pointer then.
        stack: u64,
    },
}

const EFAULT: i64 = 14;
const EINVAL: i64 = 22;
const STDERR: u64 = 2;
/// `UIO_MAXIOV` of linux/uio.h.
const MOST_VECTORS: u64 = 1024;
/// The last of the clocks that belong to no process or device: `CLOCK_TAI` of linux/time.h.
const LAST_CLOCK: u64 = 11;
/// The most random bytes in one call; callers repeat for more.
const MOST_RANDOM: u64 = 64 << 10;

/// `enum ask` of `worker/control.h`: calls that no kernel has.
pub(super) const ASK_DENY: u64 = 0x0f00_0001;
pub(super) const ASK_TAKE_BACK: u64 = 0x0f00_0002;
pub(super) const ASK_TIME: u64 = 0x0f00_0003;
/// The most bytes that one call takes back; the server repeats for more.
pub(super) const MOST_TAKEN_BACK: u64 = 64 << 20;

/// The answer to a system call of code with a server in its domain.
pub(super) fn answer_or_send(domain: &ForeignMemory, number: u64, arguments: [u64; 4]) -> Answered {
    let [first, second, third, _] = arguments;
    match number {
        ASK_DENY => Answered::DeniedAt {
            number: first & u64::from(u32::MAX),
            instruction: second,
            stack: third,
        },
        ASK_TAKE_BACK => Answered::ByHost(Answer::Value(domain.take_back(first, second))),
        _ => {
            by_host(domain, call_of(number), arguments).map_or(Answered::ByServer, Answered::ByHost)
        }
    }
}

/// What the host does about a call of verified code, which its server passes on; `None` if that is
/// nothing.
pub(super) fn answer_passed_on(
    domain: &ForeignMemory,
    number: u64,
    arguments: [u64; 4],
) -> Option<Answer> {
    by_host(domain, call_of(number), arguments)
}

fn call_of(number: u64) -> Option<Sysno> {
    usize::try_from(number).ok().and_then(Sysno::new)
}

/// What the host itself does about a call: it makes it, if the user allows that, or ends foreign
/// code that wants to end.
fn by_host(domain: &ForeignMemory, call: Option<Sysno>, arguments: [u64; 4]) -> Option<Answer> {
    let [first, second, third, _] = arguments;
    let abort = libc::SIGABRT as u64;
    match call? {
        Sysno::exit | Sysno::exit_group => Some(Answer::Exit),
        Sysno::tgkill if third == abort => Some(Answer::Abort),
        Sysno::tkill if second == abort => Some(Answer::Abort),
        Sysno::kill if second == abort && first == 0 => Some(Answer::Abort),
        call => permitted(domain, call, arguments),
    }
}

/// Makes a call that the user allows, for the library.
fn permitted(domain: &ForeignMemory, call: Sysno, arguments: [u64; 4]) -> Option<Answer> {
    let [first, second, third, _] = arguments;
    let value = match call {
        Sysno::clock_gettime | Sysno::clock_getres if domain.allows(Permission::Clock) => {
            clock(domain, call, first, second)
        }
        Sysno::time if domain.allows(Permission::Clock) => time(domain, first),
        Sysno::gettimeofday if domain.allows(Permission::Clock) => time_of_day(domain, first),
        Sysno::getrandom if domain.allows(Permission::Random) => {
            random(domain, first, second, third)
        }
        Sysno::write if first == STDERR && domain.allows(Permission::Stderr) => {
            return Some(write(domain, second, third));
        }
        Sysno::writev if first == STDERR && domain.allows(Permission::Stderr) => {
            return Some(write_vector(domain, second, third));
        }
        _ => return None,
    };
    Some(Answer::Value(value))
}

/// Only the system's own clocks: others belong to processes, or to devices through the host's
/// descriptors.
fn clock(domain: &ForeignMemory, call: Sysno, id: u64, into: u64) -> i64 {
    if id & u64::from(u32::MAX) > LAST_CLOCK {
        return -EINVAL;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let number = call as libc::c_long;
    // SAFETY: the call fills in a local variable (invariant 12).
    if unsafe { libc::syscall(number, id, &raw mut time) } != 0 {
        return -i64::from(last_error());
    }
    let words = [time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned()];
    // clock_getres takes a null pointer (clock_getres(2)).
    if into == 0 && call == Sysno::clock_getres || domain.write_at(into, &words) {
        return 0;
    }
    -EFAULT
}

fn now() -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills in a local variable (invariant 12); this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time
}

fn time(domain: &ForeignMemory, into: u64) -> i64 {
    let seconds = now().tv_sec;
    if into == 0 || domain.write_at(into, &[seconds.cast_unsigned()]) {
        return seconds;
    }
    -EFAULT
}

/// Without the time zone, which the kernel does not keep either (gettimeofday(2)).
fn time_of_day(domain: &ForeignMemory, into: u64) -> i64 {
    let time = now();
    let words = [time.tv_sec.cast_unsigned(), (time.tv_nsec / 1000).cast_unsigned()];
    if into == 0 || domain.write_at(into, &words) { 0 } else { -EFAULT }
}

fn random(domain: &ForeignMemory, into: u64, size: u64, flags: u64) -> i64 {
    let size = size.min(MOST_RANDOM);
    let Some(place) = domain.writable(into, size) else {
        return -EFAULT;
    };
    // Without the flag it would wait, soon after the machine started.
    let flags = flags | u64::from(libc::GRND_NONBLOCK);
    // SAFETY: checked to be the domain's memory, where no Rust object lies (invariant 2); the
    // kernel fails where it may not write (invariant 12).
    let result = unsafe { libc::syscall(libc::SYS_getrandom, place, size, flags) };
    outcome(result)
}

fn write(domain: &ForeignMemory, from: u64, size: u64) -> Answer {
    let size = size.min(MOST_BYTES as u64);
    let Some(place) = domain.locate(from, size) else {
        return Answer::Value(-EFAULT);
    };
    let piece = libc::iovec { iov_base: place, iov_len: size as usize };
    output::write(&[piece]).map_or(Answer::Again, Answer::Value)
}

/// The pieces that a call of `writev` names, as many as one call handles.
struct Pieces {
    list: [libc::iovec; MOST_PIECES],
    count: usize,
    room: u64,
}

impl Pieces {
    const fn none() -> Self {
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self { list: [nothing; MOST_PIECES], count: 0, room: MOST_BYTES as u64 }
    }

    /// Adds a piece; `None` if it is not in the domain's memory.
    fn add(&mut self, domain: &ForeignMemory, [from, size]: [u64; 2]) -> Option<()> {
        let size = size.min(self.room);
        let place = domain.locate(from, size)?;
        if let Some(next) = self.list.get_mut(self.count).filter(|_| size > 0) {
            *next = libc::iovec { iov_base: place, iov_len: size as usize };
            self.count += 1;
            self.room -= size;
        }
        Some(())
    }

    const fn is_full(&self) -> bool {
        self.room == 0 || self.count == MOST_PIECES
    }
}

fn write_vector(domain: &ForeignMemory, vectors: u64, count: u64) -> Answer {
    if count > MOST_VECTORS {
        return Answer::Value(-EINVAL);
    }
    let mut pieces = Pieces::none();
    for index in 0..count {
        let mut vector = [0; 2];
        let read = vectors.checked_add(16 * index).filter(|at| domain.read_at(*at, &mut vector));
        if read.and_then(|_| pieces.add(domain, vector)).is_none() {
            return Answer::Value(-EFAULT);
        }
        if pieces.is_full() {
            break;
        }
    }
    let list = pieces.list.get(..pieces.count).unwrap_or_default();
    output::write(list).map_or(Answer::Again, Answer::Value)
}

/// The result in the kernel's convention: libc returns -1 and sets errno.
fn outcome(result: libc::c_long) -> i64 {
    if result < 0 { -i64::from(last_error()) } else { result }
}

impl ForeignMemory {
    /// Whether the instruction of that length before this address is the domain's.
    pub(super) fn has_before(&self, address: u64, len: u64) -> bool {
        address.checked_sub(len).is_some_and(|start| self.locate(start, len).is_some())
    }

    fn allows(&self, permission: Permission) -> bool {
        self.allow.load(Ordering::Relaxed) & Permissions::from(permission).bits() != 0
    }

    /// The host's address of foreign bytes; `None` if they are not all in the window.
    fn locate(&self, address: u64, len: u64) -> Option<*mut c_void> {
        let size = self.size.load(Ordering::Relaxed) as u64;
        let offset = address.wrapping_sub(self.base.load(Ordering::Relaxed) as u64);
        if offset > size || len > size - offset {
            return None;
        }
        let alias = self.alias.load(Ordering::Relaxed);
        Some(alias.wrapping_add(offset as usize).cast())
    }

    /// As `locate`, for bytes that the host is to write. The host's mapping of constants and code
    /// is read-only: the kernel fails there, but a store by a handler must not be tried.
    fn writable(&self, address: u64, len: u64) -> Option<*mut c_void> {
        self.locate(address, len)
    }

    /// Makes memory zero that the server in the domain gives out, and returns it to the system: how
    /// many bytes, or an error number. Foreign code could have cleared that memory itself.
    fn take_back(&self, address: u64, len: u64) -> i64 {
        let offset = address.wrapping_sub(self.base.load(Ordering::Relaxed) as u64);
        let start = self.pool_start.load(Ordering::Relaxed) as u64;
        let end = self.pool_end.load(Ordering::Relaxed) as u64;
        let is_whole = (offset | len).is_multiple_of(PAGE as u64) && len > 0;
        if !is_whole || offset < start || offset > end || len > end - offset {
            return -EINVAL;
        }
        let len = len.min(MOST_TAKEN_BACK);
        let Some(place) = self.locate(address, len) else {
            return -EINVAL;
        };
        // SAFETY: whole pages of the domain's memory, where no Rust object lies, and no code or
        // constant; they stay mapped (invariants 1, 2).
        match unsafe { libc::madvise(place, len as usize, libc::MADV_REMOVE) } {
            0 => len as i64,
            _ => -i64::from(last_error()),
        }
    }

    /// Tells the server what time it is, once in each outermost call.
    pub(super) fn tell(&self, number: u64) {
        if self.told.swap(number, Ordering::Relaxed) == number {
            return;
        }
        let time = match self.clock.load(Ordering::Relaxed) {
            0 => world::now(),
            stands => stands - 1,
        };
        self.write(WORLD_TIME, &[time]);
    }

    /// Whether the server was asked for something in that outermost call.
    #[inline]
    pub(super) fn has_been_asked(&self, number: u64) -> bool {
        self.told.load(Ordering::Relaxed) == number
    }

    /// Writes words at an offset of the window that the host keeps writable.
    pub(super) fn write(&self, offset: usize, words: &[u64]) -> bool {
        let base = self.base.load(Ordering::Relaxed);
        let Some(place) = self.locate((base + offset) as u64, size_of_val(words) as u64) else {
            return false;
        };
        for (index, word) in words.iter().enumerate() {
            let into = place.cast::<u64>().wrapping_add(index);
            // SAFETY: in the window, in the part that the host may always write (invariants 1,
            // 8).
            unsafe { into.write_volatile(*word) };
        }
        true
    }

    /// Writes words where foreign code says, through the kernel, which returns an error where a
    /// store of ours would fault.
    fn write_at(&self, address: u64, words: &[u64]) -> bool {
        let own =
            libc::iovec { iov_base: words.as_ptr().cast_mut().cast(), iov_len: size_of_val(words) };
        // SAFETY: the kernel reads these words (invariant 12).
        unsafe { self.copy(address, own, libc::SYS_process_vm_writev) }
    }

    fn read_at(&self, address: u64, words: &mut [u64]) -> bool {
        let own = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(words) };
        // SAFETY: the kernel writes these words, which are borrowed by `&mut` (invariant 12).
        unsafe { self.copy(address, own, libc::SYS_process_vm_readv) }
    }

    /// Makes the kernel copy between the host's words and foreign memory.
    ///
    /// # Safety
    /// `own` is memory of the host's that the call may read, or write.
    unsafe fn copy(&self, address: u64, own: libc::iovec, call: libc::c_long) -> bool {
        let size = own.iov_len;
        let Some(place) = self.locate(address, size as u64) else {
            return false;
        };
        let foreign = libc::iovec { iov_base: place, iov_len: size };
        let process = i64::from(std::process::id());
        let (one, none) = (1i64, 0i64);
        // SAFETY: copies between memory that the caller vouches for and checked memory of the
        // domain, where no Rust object lies (invariants 2, 12).
        let copied = unsafe {
            libc::syscall(call, process, &raw const own, one, &raw const foreign, one, none)
        };
        copied == size as libc::c_long
    }
}
