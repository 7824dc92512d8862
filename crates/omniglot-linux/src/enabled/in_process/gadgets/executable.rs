//! Memory that the host makes executable: defines the C library's functions for that for the whole
//! program, so that foreign code does not run before the new code was scanned.
//!
//! A host that makes the system calls itself is not noticed: `docs/protection-keys.md` describes
//! the consequences.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ops::Range;

use libc::{c_int, c_void, off_t, size_t};
use syscalls::{Errno, Sysno, syscall};

use super::{changes, code};
use crate::enabled::layout::PAGE;

/// The functions that this module defines for the program.
pub(crate) fn interposed() -> [(&'static CStr, *const ()); 7] {
    [
        (c"mmap", mmap as *const ()),
        (c"mmap64", mmap64 as *const ()),
        (c"mprotect", mprotect as *const ()),
        (c"pkey_mprotect", pkey_mprotect as *const ()),
        (c"mremap", mremap as *const ()),
        (c"shmat", shmat as *const ()),
        (c"remap_file_pages", remap_file_pages as *const ()),
    ]
}

/// Makes a system call that may make memory executable, of that size.
fn change(call: impl FnOnce() -> Result<usize, Errno>, size: usize) -> Result<usize, Errno> {
    code::note_hosts_own();
    let change = || {
        let result = call();
        if let Ok(start) = result {
            code::forget(&pages(start, size));
        }
        result
    };
    changes::during(change, code::check_process)
}

/// The same if the address is known before.
fn change_at(
    start: usize,
    size: usize,
    call: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    code::note_hosts_own();
    let change = || {
        let result = call();
        code::forget(&pages(start, size));
        result
    };
    changes::during(change, code::check_process)
}

fn pages(start: usize, size: usize) -> Range<usize> {
    let end = start.saturating_add(size).checked_next_multiple_of(PAGE).unwrap_or(usize::MAX);
    start & !(PAGE - 1)..end
}

/// In the form that the C library's functions return: an address, or -1 and an error number.
fn address(result: Result<usize, Errno>) -> *mut c_void {
    match result {
        Ok(address) => std::ptr::with_exposed_provenance_mut(address),
        Err(errno) => {
            // SAFETY: asks where this thread's error number is (invariant 15).
            let place = unsafe { libc::__errno_location() };
            // SAFETY: this thread's own error number (invariant 15).
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
    // SAFETY: what the caller promises of the C library's function (invariant 14).
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
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    unsafe { mmap(start, size, access, flags, file, offset) }
}

/// mprotect(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(start: *mut c_void, size: size_t, access: c_int) -> c_int {
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let call = || unsafe { syscall!(Sysno::mprotect, start, size, access) };
    status(if is_executable(access) { change_at(start.addr(), size, call) } else { call() })
}

/// pkey_mprotect(2), for the whole program; with the key -1 it is mprotect(2), as in the C library,
/// also where the kernel has no keys.
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
    if key == -1 {
        // SAFETY: the caller's promise (invariant 14).
        return unsafe { mprotect(start, size, access) };
    }
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let call = || unsafe { syscall!(Sysno::pkey_mprotect, start, size, access, key) };
    status(if is_executable(access) { change_at(start.addr(), size, call) } else { call() })
}

/// mremap(2), for the whole program; what it moves may be executable. The last argument exists for
/// some flags only, and the kernel reads it for those only.
///
/// Allocators move memory under locks of their own. So moving memory that is not executable makes
/// no thread wait, and starts no scan, which needs an allocator.
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
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let call = || unsafe { syscall!(Sysno::mremap, start, size, new_size, flags, new_start) };
    let changes_code = !code::is_watched() || may_be_executable(start.addr(), size);
    address(if changes_code { change(call, new_size) } else { call() })
}

/// shmat(2), for the whole program.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn shmat(segment: c_int, start: *const c_void, flags: c_int) -> *mut c_void {
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let call = || unsafe { syscall!(Sysno::shmat, segment, start, flags) };
    let is_executable = flags & libc::SHM_EXEC != 0;
    // The kernel knows its size: such memory is refused, wherever it is.
    address(if is_executable { change(call, PAGE) } else { call() })
}

/// remap_file_pages(2), for the whole program; the range may be executable.
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
    // SAFETY: what the caller promises of the C library's function (invariant 14).
    let call = || unsafe { syscall!(Sysno::remap_file_pages, start, size, access, page, flags) };
    status(change_at(start.addr(), size, call))
}

/// Whether there is executable memory in a range, according to the kernel (`PROCMAP_QUERY` of
/// linux/fs.h, Linux 6.11): without a lock, and without allocating.
fn may_be_executable(start: usize, size: usize) -> bool {
    let Ok(maps) = open_maps() else {
        return true;
    };
    let next = next_executable(maps, start);
    // SAFETY: a descriptor of ours (invariant 12).
    let _ = unsafe { syscall!(Sysno::close, maps) };
    match next {
        Ok(next) => next < start.saturating_add(size.max(1)),
        Err(error) => error != Errno::ENOENT,
    }
}

fn open_maps() -> Result<usize, Errno> {
    const NAME: &CStr = c"/proc/self/maps";
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    // SAFETY: a text that ends with a NUL (invariant 12).
    unsafe { syscall!(Sysno::openat, libc::AT_FDCWD, NAME.as_ptr(), flags) }
}

/// `struct procmap_query`.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    /// End, flags, page size, offset, inode, device, sizes and places of texts.
    others: [u64; 9],
}

/// Where the first executable mapping begins that holds an address, or comes after it.
fn next_executable(maps: usize, address: usize) -> Result<usize, Errno> {
    /// `_IOWR('f', 17, struct procmap_query)`.
    const QUERY: u64 = 3 << 30 | (size_of::<Query>() as u64) << 16 | 0x66 << 8 | 17;
    /// `PROCMAP_QUERY_VMA_EXECUTABLE` and `PROCMAP_QUERY_COVERING_OR_NEXT_VMA`.
    const FLAGS: u64 = 0x04 | 0x10;
    let size = size_of::<Query>() as u64;
    let mut query = Query { size, flags: FLAGS, address: address as u64, ..Query::default() };
    // SAFETY: the kernel reads and writes the structure, which is as long as it says
    // (invariant 12).
    unsafe { syscall!(Sysno::ioctl, maps, QUERY, &raw mut query) }?;
    Ok(query.start as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_is_executable() {
        assert_eq!(size_of::<Query>(), 104);
        assert!(may_be_executable(interposed as *const () as usize & !(PAGE - 1), PAGE));
        let data = [0u64; 64];
        let has_query = open_maps().is_ok_and(|maps| next_executable(maps, 0).is_ok());
        assert_eq!(may_be_executable((&raw const data).addr(), 64), !has_query);
    }
}
