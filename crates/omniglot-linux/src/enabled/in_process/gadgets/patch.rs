//! Changes the host's own code, page by page, atomically for other threads.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::null_mut;

use omniglot_core::{Error, Result};
use rustix::io::Errno;
use rustix::mm::{
    MapFlags, MprotectFlags, MremapFlags, ProtFlags, mmap_anonymous, mprotect, mremap_fixed, munmap,
};

use crate::enabled::layout::PAGE;
use crate::enabled::system::refused;

/// `jmp rel32`.
const JUMP: u8 = 0xe9;
const JUMP_LENGTH: usize = 5;
/// How far a near jump reaches, with room for what lies between.
const REACH: usize = 1 << 30;
const STEP: usize = 1 << 16;
/// `int3`.
pub(crate) const TRAP: u8 = 0xcc;

/// Replaces bytes of the host's code.
///
/// The pages are copied, changed, and put in the place of the old ones by the kernel, in one
/// `mremap`. It removes the old pages on all processors, with an interrupt that discards what they
/// had fetched, before the new ones are there. A thread that runs into the gap faults, and waits
/// for the lock that the kernel holds meanwhile. So another thread executes the old bytes, up to
/// the end of an instruction, or the new ones, even if they lie in two pages. In between it is at
/// the start of an instruction. The caller must know which of the bytes may begin one.
///
/// # Safety
/// The bytes are code of the host's that can be read, or beside such code. The new bytes do the
/// same to whatever thread runs them, or no thread runs them. No instruction begins within them
/// except at the first byte, before or after.
pub(crate) unsafe fn replace(address: usize, bytes: &[u8]) -> Result<()> {
    let start = address & !(PAGE - 1);
    let len = (address + bytes.len()).next_multiple_of(PAGE) - start;
    let fresh = pages(None, len)?;
    let old = std::ptr::with_exposed_provenance::<u8>(start);
    let new = fresh.cast::<u8>();
    // SAFETY: executable pages that can be read, and fresh ones of that size that nobody knows
    // (invariant 16).
    unsafe { new.copy_from_nonoverlapping(old, len) };
    let place = new.wrapping_add(address - start);
    // SAFETY: within the fresh pages (invariant 16).
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    seal(fresh, len)?;
    let target = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the same code but for the bytes, which the caller replaces by an equivalent
    // (invariant 16).
    unsafe { mremap_fixed(fresh, len, len, MremapFlags::MAYMOVE, target) }
        .map_err(refused("replacing a page of code"))?;
    Ok(())
}

/// Makes an `XRSTOR` whose code sets its mask run elsewhere, followed by a check of that mask;
/// returns where, before any thread runs it there.
///
/// Code that jumps to it with another mask, to load PKRU, ends in an illegal instruction.
///
/// # Safety
/// An `XRSTOR` of the host's of that length is there, whose operand is not RIP-relative. `eax` is
/// the mask whenever the host runs it, and the flags are not used afterwards.
pub(crate) unsafe fn detour(
    address: usize,
    length: usize,
    mask: u32,
    announce: impl FnOnce(usize),
) -> Result<()> {
    if length < JUMP_LENGTH {
        return Err(too_short());
    }
    let near = pages_near(address, PAGE)?;
    let place = near.addr();
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the caller's instruction, which is in executable pages that can be read
    // (invariant 16).
    let original = unsafe { std::slice::from_raw_parts(from, length) };
    let mut code = original.to_vec();
    code.push(0x3d); // cmp eax, mask
    code.extend_from_slice(&mask.to_le_bytes());
    code.extend_from_slice(&[0x75, JUMP_LENGTH as u8]); // jne to what follows the jump
    let jump = place + code.len();
    code.extend_from_slice(&jump_to(jump, address + length)?);
    code.extend_from_slice(&[0x0f, 0x0b]); // ud2
    // SAFETY: a fresh page that nobody knows, larger than this (invariant 16).
    unsafe { near.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    announce(place);
    seal(near, PAGE)?;
    let mut bytes = jump_to(address, place)?.to_vec();
    bytes.resize(length, 0x90); // nop, never reached
    // SAFETY: the caller's instruction, by a jump to the code above, which does the same and goes
    // on where this one would (invariant 16).
    unsafe { replace(address, &bytes) }
}

/// Redirects a function that does nothing to another one.
///
/// Its return and the padding behind it are replaced. A thread at the return runs the old or the
/// new instruction, and no thread can be in between.
///
/// # Errors
/// `unknown` if it is not a mere return, followed only by padding.
///
/// # Safety
/// A function begins at `address`, and one at `target` that may be called in its place.
pub(crate) unsafe fn divert(address: usize, target: usize, unknown: Error) -> Result<()> {
    /// `jmp [rip]`: to the address that follows.
    const FAR_JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];
    if !address.is_multiple_of(ALIGNMENT) {
        return Err(unknown);
    }
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the caller's function, with what fills its place, in the same page
    // (invariant 16).
    let function = unsafe { std::slice::from_raw_parts(from, ALIGNMENT) };
    let place = address + place_of_return(function).ok_or(unknown)?;
    let near = pages_near(address, PAGE)?;
    let code = [&FAR_JUMP[..], &target.to_le_bytes()].concat();
    // SAFETY: a fresh page that nobody knows, larger than this (invariant 16).
    unsafe { near.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    seal(near, PAGE)?;
    // SAFETY: one return, and bytes that no thread runs, by a jump to what the caller wants instead
    // (invariant 16).
    unsafe { replace(place, &jump_to(place, near.addr())?) }
}

/// Whether [`divert`] already redirected a function: it returns by a jump.
pub(crate) fn is_diverted(address: usize) -> bool {
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    if from.is_null() {
        return false;
    }
    // SAFETY: the dynamic linker's function, with what fills its place, in the same page
    // (invariant 15).
    let function = unsafe { std::slice::from_raw_parts(from, ALIGNMENT) };
    let code = function.strip_prefix(MARK).unwrap_or(function);
    code.first() == Some(&JUMP)
}

/// The instruction at the start of functions for processors that check where jumps lead
/// (`endbr64`).
const MARK: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];
/// Compilers align functions so, and fill the space between them.
const ALIGNMENT: usize = 16;

/// Where the return is of a function that does nothing else, if there is space for a jump in its
/// place: up to where the next function can begin, there is only padding.
fn place_of_return(function: &[u8]) -> Option<usize> {
    const RETURN: u8 = 0xc3;
    let place = if function.starts_with(MARK) { MARK.len() } else { 0 };
    let (first, filling) = function.get(place..)?.split_first()?;
    let is_empty = *first == RETURN && filling.len() >= JUMP_LENGTH - 1 && is_filling(filling);
    is_empty.then_some(place)
}

/// Whether these bytes are padding as assemblers insert it between functions: `int3`, and
/// no-operations (Intel SDM volume 2, `NOP`), the last of which may extend beyond.
fn is_filling(mut code: &[u8]) -> bool {
    /// Prefixes of operand size and of segment CS, which make longer ones.
    const PREFIXES: [u8; 2] = [0x66, 0x2e];
    while let Some(first) = code.first() {
        let length = if matches!(*first, TRAP | 0x90) {
            1
        } else {
            let prefixes = code.iter().take_while(|byte| PREFIXES.contains(byte)).count();
            match code.get(prefixes..) {
                // Space only for prefixes, or for a part of what follows.
                Some([] | [0x0f] | [0x0f, 0x1f]) => code.len(),
                Some([0x90, ..]) => prefixes + 1,
                Some([0x0f, 0x1f, operand, ..]) => match operand {
                    0x00 => prefixes + 3, // [rax]
                    0x40 => prefixes + 4, // and a distance of 8 bits
                    0x44 => prefixes + 5, // and an index
                    0x80 => prefixes + 7, // a distance of 32 bits
                    0x84 => prefixes + 8, // and an index
                    _ => return false,
                },
                _ => return false,
            }
        };
        code = code.get(length..).unwrap_or_default();
    }
    true
}

fn too_short() -> Error {
    Error::Unsupported {
        what: "the dynamic linker has an instruction that cannot be replaced",
        remedy: "use Isolation::Process",
    }
}

fn jump_to(from: usize, to: usize) -> Result<[u8; JUMP_LENGTH]> {
    let distance = to.wrapping_sub(from + JUMP_LENGTH).cast_signed();
    let distance = i32::try_from(distance).map_err(|_| too_short())?;
    let [a, b, c, d] = distance.to_le_bytes();
    Ok([JUMP, a, b, c, d])
}

/// A page for code and one for constants, near some code.
#[derive(Debug)]
pub(crate) struct Room(*mut c_void);

impl Room {
    pub(crate) fn near(address: usize) -> Result<Self> {
        Ok(Self(pages_near(address, 2 * PAGE)?))
    }

    /// Where the page for code is.
    pub(crate) fn code(&self) -> usize {
        self.0.addr()
    }

    /// Where the page for constants is.
    pub(crate) fn data(&self) -> usize {
        self.0.addr() + PAGE
    }

    /// Puts code into the first page, which becomes executable, and constants at the start of the
    /// second, which does not. Neither can be written afterwards.
    pub(crate) fn fill(self, offset: usize, code: &[u8], data: &[u8]) -> Result<()> {
        if offset > PAGE || code.len() > PAGE - offset || data.len() > PAGE {
            return Err(too_short());
        }
        let start = self.0.cast::<u8>();
        // SAFETY: a fresh page that nobody knows (invariant 16).
        unsafe { start.write_bytes(TRAP, PAGE) };
        let place = start.wrapping_add(offset);
        // SAFETY: within that page, as checked (invariant 16).
        unsafe { place.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: the second fresh page, which is large enough, as checked (invariant 16).
        unsafe { start.wrapping_add(PAGE).copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        // SAFETY: our own page, which holds constants (invariant 16).
        unsafe { mprotect(self.0.wrapping_byte_add(PAGE), PAGE, MprotectFlags::READ) }
            .map_err(refused("a page for constants"))?;
        seal(self.0, PAGE)
    }

    /// Frees the pages, of which nothing was used.
    pub(crate) fn give_back(self) {
        // SAFETY: our own pages, to which nothing else refers (invariant 16).
        let _ = unsafe { munmap(self.0, 2 * PAGE) };
    }
}

/// Fresh pages that a near jump reaches.
fn pages_near(address: usize, len: usize) -> Result<*mut c_void> {
    let start = address & !(STEP - 1);
    for distance in (STEP..REACH).step_by(STEP) {
        for hint in [start.checked_add(distance), start.checked_sub(distance)] {
            if let Some(hint) = hint
                && let Ok(page) = pages(Some(hint), len)
            {
                return Ok(page);
            }
        }
    }
    Err(too_short())
}

fn pages(at: Option<usize>, len: usize) -> Result<*mut c_void> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let (hint, flags) = match at {
        Some(hint) => (
            std::ptr::with_exposed_provenance_mut(hint),
            MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE,
        ),
        None => (null_mut(), MapFlags::PRIVATE),
    };
    // SAFETY: a range that nothing else uses (invariant 2).
    let page =
        unsafe { mmap_anonymous(hint, len, access, flags) }.map_err(refused("a page for code"))?;
    if at.is_some_and(|hint| hint != page.addr()) {
        // SAFETY: just made, and nobody knows it (invariant 2).
        let _ = unsafe { munmap(page, len) };
        return Err(refused("a page for code")(Errno::EXIST));
    }
    Ok(page)
}

fn seal(page: *mut c_void, len: usize) -> Result<()> {
    let access = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: fresh pages of ours, which nobody knows (invariant 16).
    unsafe { mprotect(page, len, access) }.map_err(refused("a page for code"))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const UNKNOWN: Error = Error::Misuse("a function of an unknown form");

    static CALLS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn count() {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }

    /// A page of code that begins with these bytes.
    fn code(bytes: &[u8]) -> usize {
        let page = pages(None, PAGE).expect("a page");
        let start = page.cast::<u8>();
        // SAFETY: a fresh page of that size (invariant 16).
        unsafe { start.write_bytes(TRAP, PAGE) };
        // SAFETY: as above (invariant 16).
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        seal(page, PAGE).expect("a page of code");
        page.expose_provenance()
    }

    fn run(place: usize) {
        let start = std::ptr::with_exposed_provenance::<()>(place);
        // SAFETY: a function of ours, on a page of code that stays (invariant 16).
        let function = unsafe { std::mem::transmute::<*const (), extern "C" fn()>(start) };
        function();
    }

    const MARKED: [u8; 16] =
        [0xf3, 0x0f, 0x1e, 0xfa, 0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x90];
    const PLAIN: [u8; 16] =
        [0xc3, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x40, 0];

    /// Each instruction of it: also where a thread may stand between the two.
    #[test]
    fn a_function_that_does_nothing_is_diverted_wherever_a_thread_stands() {
        for (bytes, places) in [(MARKED, &[0, 4][..]), (PLAIN, &[0])] {
            let address = code(&bytes);
            for place in places {
                run(address + place);
            }
            let before = CALLS.load(Ordering::Relaxed);
            // SAFETY: a function of ours, and one that can be called like it (invariant 16).
            unsafe { divert(address, count as *const () as usize, UNKNOWN) }.expect("a diversion");
            for (index, place) in places.iter().enumerate() {
                run(address + place);
                assert_eq!(CALLS.load(Ordering::Relaxed) - before, index as u32 + 1);
            }
        }
    }

    #[test]
    fn what_runs_is_not_overwritten() {
        let refused = [
            // Something before the return, and something behind it at once or later.
            vec![0x90, 0xc3],
            vec![0xc3, 0x55, 0x90, 0x90, 0x90],
            vec![0xf3, 0x0f, 0x1e, 0xfa, 0xc3, 0x31, 0xc0, 0xc3],
            vec![0xf3, 0x0f, 0x1e, 0xfa, 0xc3, 0x90, 0x90, 0xe8],
            // A `nop` that is none.
            vec![0xc3, 0x0f, 0x1f, 0xc0, 0xc3],
        ];
        for bytes in refused {
            let address = code(&bytes);
            // SAFETY: as above (invariant 16).
            let outcome = unsafe { divert(address, count as *const () as usize, UNKNOWN) };
            assert_eq!(outcome, Err(UNKNOWN), "{bytes:x?}");
        }
    }
}
