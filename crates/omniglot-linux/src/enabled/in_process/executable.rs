//! Memory that the host makes executable: the C library's functions for that, for the whole
//! program, so that foreign code does not run before what is there was looked at.
//!
//! Who makes the system calls himself is not noticed: `docs/protection-keys.md` says what follows.
#![allow(unsafe_code)]

use std::ops::Range;

use libc::{c_int, c_void, off_t, size_t};
use syscalls::{Errno, Sysno, syscall};

use super::super::layout::PAGE;
use super::{changes, code};

/// Makes a system call that may make memory executable, of that size.
fn change(call: impl FnOnce() -> Result<usize, Errno>, size: usize) -> Result<usize, Errno> {
    changes::during(|| {
        let result = call();
        if let Ok(start) = result {
            code::forget(&pages(start, size));
        }
        result
    })
}

/// The same where the place is known before.
fn change_at(
    start: usize,
    size: usize,
    call: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    changes::during(|| {
        let result = call();
        code::forget(&pages(start, size));
        result
    })
}

fn pages(start: usize, size: usize) -> Range<usize> {
    let end = start.saturating_add(size).checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
    start & !(PAGE - 1)..end
}

/// As the C library's functions say it: an address, or -1 and an error number.
fn address(result: Result<usize, Errno>) -> *mut c_void {
    match result {
        Ok(address) => std::ptr::with_exposed_provenance_mut(address),
        Err(errno) => {
            // SAFETY: asks where this thread's error number is.
            let place = unsafe { libc::__errno_location() };
            // SAFETY: this thread's own.
            unsafe { place.write(errno.into_raw()) };
            libc::MAP_FAILED
        }
    }
}

/// The same for functions that return 0.
fn status(result: Result<usize, Errno>) -> c_int {
    address(result).addr() as c_int
}

const fn is_executable(access: c_int) -> bool {
    access & libc::PROT_EXEC != 0
}

/// mmap(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    start: *mut c_void,
    size: size_t,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::mmap, start, size, access, flags, file, offset) };
    address(if is_executable(access) { change(call, size) } else { call() })
}

/// The same by its other name.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    start: *mut c_void,
    size: size_t,
    access: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { mmap(start, size, access, flags, file, offset) }
}

/// mprotect(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, size: size_t, access: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::mprotect, start, size, access) };
    status(if is_executable(access) { change_at(start.addr(), size, call) } else { call() })
}

/// pkey_mprotect(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pkey_mprotect(
    start: *mut c_void,
    size: size_t,
    access: c_int,
    key: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::pkey_mprotect, start, size, access, key) };
    status(if is_executable(access) { change_at(start.addr(), size, call) } else { call() })
}

/// mremap(2), for the whole program; what it moves may be executable. The last argument is
/// there for some flags only, and the kernel looks at it for those only.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mremap(
    start: *mut c_void,
    size: size_t,
    new_size: size_t,
    flags: c_int,
    new_start: *mut c_void,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::mremap, start, size, new_size, flags, new_start) };
    address(change(call, new_size))
}

/// shmat(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn shmat(segment: c_int, start: *const c_void, flags: c_int) -> *mut c_void {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::shmat, segment, start, flags) };
    let is_executable = flags & libc::SHM_EXEC != 0;
    // Of a size that the kernel knows: such memory is refused, wherever it is.
    address(if is_executable { change(call, PAGE) } else { call() })
}

/// remap_file_pages(2), for the whole program; what is there may be executable.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn remap_file_pages(
    start: *mut c_void,
    size: size_t,
    access: c_int,
    page: size_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let call = || unsafe { syscall!(Sysno::remap_file_pages, start, size, access, page, flags) };
    status(change_at(start.addr(), size, call))
}
