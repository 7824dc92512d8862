//! System calls of a worker that wait for the host: seccomp_unotify(2).
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

const GROUP: u8 = b'!';

/// `struct seccomp_notif`: a system call that waits for an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notification {
    pub(super) id: u64,
    process: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    pub(super) arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `struct seccomp_notif_addfd`.
#[repr(C)]
struct AddedFile {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

const _: () = assert!(size_of::<Notification>() == 80 && size_of::<Response>() == 24);
const _: () = assert!(size_of::<AddedFile>() == 24);

/// One request about a listener, with the structure that it reads or fills.
struct ListenerIoctl<'a, T> {
    opcode: Opcode,
    data: &'a mut T,
}

// SAFETY: the constructors below pair each number with the structure that Linux's
// include/uapi/linux/seccomp.h gives it (invariant 12); the result is a plain number.
unsafe impl<T> Ioctl for ListenerIoctl<'_, T> {
    type Output = i32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(self.data).cast()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> io::Result<i32> {
        Ok(out)
    }
}

/// The next call that waits; blocks if there is none.
pub(super) fn receive(listener: &OwnedFd) -> io::Result<Notification> {
    let mut notification = Notification::default();
    let request = ListenerIoctl {
        opcode: opcode::read_write::<Notification>(GROUP, 0),
        data: &mut notification,
    };
    // SAFETY: SECCOMP_IOCTL_NOTIF_RECV fills a zeroed `struct seccomp_notif` (invariant 12).
    unsafe { ioctl(listener, request) }?;
    Ok(notification)
}

/// Whether the call still waits, so that the process is still the one it was.
pub(super) fn is_waiting(listener: &OwnedFd, mut id: u64) -> bool {
    let request = ListenerIoctl { opcode: opcode::write::<u64>(GROUP, 2), data: &mut id };
    // SAFETY: SECCOMP_IOCTL_NOTIF_ID_VALID reads a number (invariant 12).
    unsafe { ioctl(listener, request) }.is_ok()
}

/// Lets the call return this number, or minus an error number.
pub(super) fn answer(listener: &OwnedFd, id: u64, outcome: Result<i32, i32>) -> io::Result<()> {
    let (value, error) = match outcome {
        Ok(value) => (i64::from(value), 0),
        Err(error) => (0, -error),
    };
    let mut response = Response { id, value, error, flags: 0 };
    let request =
        ListenerIoctl { opcode: opcode::read_write::<Response>(GROUP, 1), data: &mut response };
    // SAFETY: SECCOMP_IOCTL_NOTIF_SEND reads a `struct seccomp_notif_resp` (invariant 12).
    unsafe { ioctl(listener, request) }.map(drop)
}

/// Gives the calling process a file (Linux 5.9); returns its number there.
pub(super) fn add_file(listener: &OwnedFd, id: u64, file: BorrowedFd<'_>) -> io::Result<i32> {
    let source = file.as_raw_fd().cast_unsigned();
    let mut added = AddedFile { id, flags: 0, source, target: 0, target_flags: 0 };
    let request = ListenerIoctl { opcode: opcode::write::<AddedFile>(GROUP, 3), data: &mut added };
    // SAFETY: SECCOMP_IOCTL_NOTIF_ADDFD reads a `struct seccomp_notif_addfd` (invariant 12).
    unsafe { ioctl(listener, request) }
}
