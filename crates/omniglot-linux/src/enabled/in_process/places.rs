//! The parts of the call gate (`gate.S`): where they are, by which signal handlers tell where a
//! thread is, and its small functions, which enter no foreign code.
#![allow(unsafe_code)]

use std::ops::Range;

use super::frame::KernelContext;

/// The distance of two exits in bytes.
const EXIT: usize = 16;

unsafe extern "C" {
    fn omniglot_go_on();
    fn omniglot_keyed_commit();
    fn omniglot_keyed_commit_end();
    fn omniglot_keyed_leave();
    fn omniglot_keyed_checked();
    fn omniglot_keyed_exit_end();
    fn omniglot_keyed_return_exits();
    fn omniglot_keyed_callback_exits();
    fn omniglot_keyed_resume();
    fn omniglot_keyed_resume_end();
    fn omniglot_keyed_abandoned();
    fn omniglot_write_on_entry();
    fn omniglot_write_on_exit();
    fn omniglot_write_on_resume();
    fn omniglot_write_in_signal();
    fn omniglot_write_for_host();
    fn omniglot_set_rights(rights: u32);
    fn omniglot_rights() -> u32;
    fn omniglot_set_identity(descriptor: u32) -> i32;
    fn omniglot_identity() -> u32;
    static omniglot_shared: u8;
    fn omniglot_return_exits();
    fn omniglot_callback_exits();
    fn omniglot_commit();
    fn omniglot_commit_end();
    fn omniglot_resume();
    fn omniglot_resume_end();
    fn omniglot_abandoned();
    fn omniglot_sfi_commit();
    fn omniglot_sfi_commit_end();
    fn omniglot_sfi_asked();
    fn omniglot_sfi_called_back();
    fn omniglot_sfi_returned();
    fn omniglot_sfi_exit_end();
    fn omniglot_sfi_abandoned();
    fn omniglot_signal();
    pub(super) fn omniglot_on_stack(
        signal: i32,
        info: *mut libc::siginfo_t,
        context: *mut KernelContext,
        handler: unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut KernelContext),
        stack: usize,
    );
}

/// The addresses of a domain's exits: for returns, and for callbacks.
pub(super) fn exits(index: usize) -> (usize, usize) {
    let offset = index * EXIT;
    (
        omniglot_return_exits as *const () as usize + offset,
        omniglot_callback_exits as *const () as usize + offset,
    )
}

/// An instruction that returns from a callback.
pub(super) fn go_on() -> usize {
    omniglot_go_on as *const () as usize
}

/// Where the page of gates of each region leads: for returns, for callbacks, and for those that
/// stand for system calls.
pub(super) fn sfi_exits() -> [usize; 3] {
    [
        omniglot_sfi_returned as *const () as usize,
        omniglot_sfi_called_back as *const () as usize,
        omniglot_sfi_asked as *const () as usize,
    ]
}

/// The addresses of the exits of a key's domain.
pub(super) fn keyed_exits(key: u32) -> (usize, usize) {
    let offset = key as usize * EXIT;
    (
        omniglot_keyed_return_exits as *const () as usize + offset,
        omniglot_keyed_callback_exits as *const () as usize + offset,
    )
}

/// The instructions of the gate that write PKRU, and check the written value.
pub(super) fn writes() -> [usize; 5] {
    [
        omniglot_write_on_entry as *const () as usize,
        omniglot_write_on_exit as *const () as usize,
        omniglot_write_on_resume as *const () as usize,
        omniglot_write_in_signal as *const () as usize,
        omniglot_write_for_host as *const () as usize,
    ]
}

/// The address of the page that foreign code can read, and of the selectors after it.
pub(super) fn shared() -> usize {
    (&raw const omniglot_shared).addr()
}

/// Reads PKRU.
///
/// # Safety
/// The processor has protection keys, and the kernel uses them.
pub(super) unsafe fn rights() -> u32 {
    // SAFETY: the processor has protection keys, as the caller promises (invariant 17).
    unsafe { omniglot_rights() }
}

/// The calling thread's number, as its segment descriptor says.
pub(super) fn identity() -> u32 {
    // SAFETY: reads the limit of a descriptor, of which there need be none (invariant 17).
    unsafe { omniglot_identity() }
}

/// Gives the calling thread a segment descriptor: 0, or an error number, negated.
///
/// # Safety
/// The descriptor is a `user_desc` of asm/ldt.h, that the kernel may read; nobody uses the
/// entry that it names. The kernel has calls of 32-bit programs, and permits this one: else
/// the process ends.
pub(super) unsafe fn set_identity(descriptor: u32) -> i32 {
    // SAFETY: a descriptor that the kernel may read, for an entry that nobody uses, as the caller
    // promises (invariant 12).
    unsafe { omniglot_set_identity(descriptor) }
}

/// Writes PKRU.
///
/// # Safety
/// As [`rights`]; no key is closed that the host needs.
pub(super) unsafe fn set_rights(rights: u32) {
    // SAFETY: the processor has protection keys, and no key is closed that the host needs, as the
    // caller promises (invariant 17).
    unsafe { omniglot_set_rights(rights) };
}

/// A part's addresses.
fn range(start: unsafe extern "C" fn(), end: unsafe extern "C" fn()) -> Range<usize> {
    start as *const () as usize..end as *const () as usize
}

/// On entry, where a thread starts again.
pub(super) fn commit(is_keyed: bool) -> Range<usize> {
    if is_keyed {
        range(omniglot_keyed_commit, omniglot_keyed_commit_end)
    } else {
        range(omniglot_commit, omniglot_commit_end)
    }
}

/// On resumption after a signal, where a thread starts again.
pub(super) fn resume(is_keyed: bool) -> Range<usize> {
    if is_keyed {
        range(omniglot_keyed_resume, omniglot_keyed_resume_end)
    } else {
        range(omniglot_resume, omniglot_resume_end)
    }
}

/// On exit, where a thread starts again: the checks have yet to pass.
pub(super) fn unchecked() -> Range<usize> {
    range(omniglot_keyed_leave, omniglot_keyed_checked)
}

/// On exit behind the last check, where a thread with the host's rights continues.
pub(super) fn checked() -> Range<usize> {
    range(omniglot_keyed_checked, omniglot_keyed_exit_end)
}

/// Where a thread continues whose foreign code is abandoned.
pub(super) fn abandoned(is_keyed: bool) -> usize {
    if is_keyed {
        omniglot_keyed_abandoned as *const () as usize
    } else {
        omniglot_abandoned as *const () as usize
    }
}

/// On the way in to verified code, where a thread starts again.
pub(super) fn sfi_commit() -> Range<usize> {
    range(omniglot_sfi_commit, omniglot_sfi_commit_end)
}

/// On the way out of it, while the stack is the domain's.
pub(super) fn sfi_exit() -> Range<usize> {
    range(omniglot_sfi_asked, omniglot_sfi_exit_end)
}

/// Where a thread goes whose verified code is given up.
pub(super) fn sfi_abandoned() -> usize {
    omniglot_sfi_abandoned as *const () as usize
}

/// Where signal handlers begin.
pub(super) fn signal() -> usize {
    omniglot_signal as *const () as usize
}

/// Whether the program, and with it the gate, is within reach of 32-bit code.
pub(crate) fn lies_below_4_gib() -> bool {
    shared() >> 32 == 0
}
