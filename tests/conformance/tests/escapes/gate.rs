//! Where the gate is: its symbols, which foreign code would have to find.
#![allow(unsafe_code)]

use std::ops::Range;

use super::emulated::{self, LONGEST};

unsafe extern "C" {
    fn omniglot_enter();
    fn omniglot_return_doors();
    fn omniglot_callback_doors();
    fn omniglot_resume();
    fn omniglot_signal();
    fn omniglot_keyed_enter();
    fn omniglot_keyed_commit();
    fn omniglot_keyed_return_doors();
    fn omniglot_keyed_callback_doors();
    fn omniglot_keyed_abandoned();
    fn omniglot_keyed_resume();
    fn omniglot_set_rights();
    fn omniglot_rights();
    fn omniglot_write_on_entry();
    fn omniglot_write_on_exit();
    fn omniglot_write_on_resume();
    fn omniglot_write_in_signal();
    fn omniglot_write_for_host();
    static omniglot_shared: [u64; 32];
}

type Symbol = unsafe extern "C" fn();

fn address(symbol: Symbol) -> usize {
    symbol as *const () as usize
}

/// All of the gate, but for the doors of unprotected domains, of which there are many
/// that are alike: the first ones only.
pub(crate) fn ranges() -> [Range<usize>; 5] {
    const DOORS: usize = 64;
    let (returns, callbacks) = (address(omniglot_return_doors), address(omniglot_callback_doors));
    [
        address(omniglot_enter)..returns,
        returns..returns + DOORS,
        callbacks..callbacks + DOORS,
        // What follows all doors begins at what follows the last one of 1024.
        callbacks + 1024 * 16..address(omniglot_resume),
        address(omniglot_resume)..address(omniglot_rights) + 16,
    ]
}

/// The gate's entries.
pub(crate) fn entries() -> [(&'static str, usize); 13] {
    [
        ("enter", address(omniglot_enter)),
        ("return_door", address(omniglot_return_doors)),
        ("callback_door", address(omniglot_callback_doors)),
        ("resume", address(omniglot_resume)),
        ("signal", address(omniglot_signal)),
        ("keyed_enter", address(omniglot_keyed_enter)),
        ("keyed_commit", address(omniglot_keyed_commit)),
        ("keyed_return_door", address(omniglot_keyed_return_doors)),
        ("keyed_callback_door", address(omniglot_keyed_callback_doors)),
        ("keyed_abandoned", address(omniglot_keyed_abandoned)),
        ("keyed_resume", address(omniglot_keyed_resume)),
        ("set_rights", address(omniglot_set_rights)),
        ("rights", address(omniglot_rights)),
    ]
}

/// The instructions that write PKRU.
pub(crate) fn writes() -> [(&'static str, usize); 5] {
    [
        ("on_entry", address(omniglot_write_on_entry)),
        ("on_exit", address(omniglot_write_on_exit)),
        ("on_resume", address(omniglot_write_on_resume)),
        ("in_signal", address(omniglot_write_in_signal)),
        ("for_host", address(omniglot_write_for_host)),
    ]
}

/// `syscall(2)` of the host's C library.
pub(crate) fn system_call_of_the_host() -> usize {
    libc::syscall as *const () as usize
}

/// What the page that foreign code can read says of a domain: its key, and PKRU of the
/// thread that runs it. Offsets as in the runtime's `keys.rs`.
pub(crate) fn shared(window: usize) -> Option<(usize, u64)> {
    const WINDOWS: usize = 8;
    const HOSTS: usize = 24;
    // SAFETY: a page of the runtime's, which a thread with a domain may read.
    let words = unsafe { (&raw const omniglot_shared).read_volatile() };
    let key = words.iter().skip(WINDOWS).take(16).position(|start| *start == window as u64)?;
    let pair = words.get(HOSTS + key / 2)?;
    Some((key, pair >> (32 * (key % 2)) & 0xffff_ffff))
}

/// Where the domain's memory has the token of the stretch that runs: `NEXT` of the
/// runtime's `layout.rs`, after ten registers.
pub(crate) const TOKEN: usize = 0xa00 + 80;

/// Reads a word that foreign code may change now.
pub(crate) fn look_at(address: usize) -> u64 {
    let word = std::ptr::with_exposed_provenance::<u64>(address);
    // SAFETY: in the host's mapping of a domain that lives, aligned.
    unsafe { word.read_volatile() }
}

/// Whether a jump to that byte would end the machine that emulates the processor.
pub(crate) fn is_fatal_to_the_emulator(address: usize) -> bool {
    emulated::crashes_the_emulators_kernel(address as u64, |place| {
        let start = std::ptr::with_exposed_provenance::<[u8; LONGEST]>(place as usize);
        let is_code = ranges().iter().any(|range| range.contains(&start.addr()));
        // SAFETY: in the gate's code, or shortly after it in the same page, which is there for
        // ever and can be read.
        is_code.then(|| unsafe { start.read_unaligned() })
    })
}
