//! Changing the host's own code, page by page, in one step for other threads.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::null_mut;

use omniglot_core::{Error, Result};
use rustix::io::Errno;
use rustix::mm::{
    MapFlags, MprotectFlags, MremapFlags, ProtFlags, mmap_anonymous, mprotect, mremap_fixed, munmap,
};

use super::super::layout::PAGE;
use super::super::system::refused;

/// `jmp rel32`.
const JUMP: u8 = 0xe9;
const JUMP_LENGTH: usize = 5;
/// How far a near jump reaches, with room for what lies between.
const REACH: usize = 1 << 30;
const STEP: usize = 1 << 16;
/// `int3`.
pub(super) const TRAP: u8 = 0xcc;

/// Replaces bytes of the host's code.
///
/// The pages are copied, changed, and put in the place of the old ones by the kernel, in one
/// `mremap`: it takes the old ones away on all processors, with an interrupt that ends what
/// they had fetched, before the new ones are there; and who runs into the gap faults, and waits for
/// the lock that the kernel holds meanwhile. So another thread executes the old bytes, up to the
/// end of an instruction, or the new ones, also where they lie in two pages. It stands at
/// the start of an instruction in between; which of the bytes may begin one is for the caller
/// to know.
///
/// # Safety
/// The bytes are code of the host's that can be read, or beside such code; what they become does
/// the same to whoever runs it, or nobody runs it; and no instruction begins within them but at
/// the first, before or after.
pub(super) unsafe fn replace(address: usize, bytes: &[u8]) -> Result<()> {
    let start = address & !(PAGE - 1);
    let len = (address + bytes.len()).next_multiple_of(PAGE) - start;
    let fresh = pages(None, len)?;
    let old = std::ptr::with_exposed_provenance::<u8>(start);
    let new = fresh.cast::<u8>();
    // SAFETY: executable pages that can be read, and fresh ones that nobody knows.
    unsafe { new.copy_from_nonoverlapping(old, len) };
    let place = new.wrapping_add(address - start);
    // SAFETY: within the fresh pages.
    unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    seal(fresh, len)?;
    let target = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the same code but for the bytes that the caller replaces by an equivalent.
    unsafe { mremap_fixed(fresh, len, len, MremapFlags::MAYMOVE, target) }
        .map_err(refused("replacing a page of code"))?;
    Ok(())
}

/// Has an `XRSTOR` with a mask that its code sets itself run elsewhere, followed by a look
/// at that mask; says where.
///
/// Who jumps to it with another mask, to load PKRU, ends in an illegal instruction.
///
/// # Safety
/// An `XRSTOR` of the host's of that length is there, which does not find its memory by its own
/// place; `eax` is the mask whenever the host runs it, and the flags do not matter afterwards.
pub(super) unsafe fn detour(address: usize, length: usize, mask: u32) -> Result<usize> {
    if length < JUMP_LENGTH {
        return Err(too_short());
    }
    let near = pages_near(address, PAGE)?;
    let place = near.addr();
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: executable pages that can be read.
    let original = unsafe { std::slice::from_raw_parts(from, length) };
    let mut code = original.to_vec();
    code.push(0x3d); // cmp eax, mask
    code.extend_from_slice(&mask.to_le_bytes());
    code.extend_from_slice(&[0x75, JUMP_LENGTH as u8]); // jne to what follows the jump
    let jump = place + code.len();
    code.extend_from_slice(&jump_to(jump, address + length)?);
    code.extend_from_slice(&[0x0f, 0x0b]); // ud2
    // SAFETY: a fresh page that nobody knows, larger than this.
    unsafe { near.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    seal(near, PAGE)?;
    let mut bytes = jump_to(address, place)?.to_vec();
    bytes.resize(length, 0x90); // nop, never reached
    // SAFETY: the caller's promise, and the code above, which goes on where this one would.
    unsafe { replace(address, &bytes) }?;
    Ok(place)
}

/// Has a function that does nothing be another one from now on.
///
/// # Errors
/// [`Error::Unsupported`] if it is not a mere return, with nothing behind it that runs.
///
/// # Safety
/// A function begins at `address`, and one at `target` that may be called in its place.
pub(super) unsafe fn divert(address: usize, target: usize) -> Result<()> {
    /// `ret`, and with what a processor wants that checks where jumps lead (`endbr64`).
    const PLAIN: &[u8] = &[0xc3];
    const MARKED: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa, 0xc3];
    /// Compilers align functions so, and fill what is between them.
    const ALIGNMENT: usize = 16;
    /// `jmp [rip]`: to the address that follows.
    const FAR_JUMP: [u8; 6] = [0xff, 0x25, 0, 0, 0, 0];
    let from = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the caller's function, with what fills its place.
    let function = unsafe { std::slice::from_raw_parts(from, JUMP_LENGTH) };
    let is_empty = function.starts_with(PLAIN) || function.starts_with(MARKED);
    if !is_empty || !address.is_multiple_of(ALIGNMENT) {
        return Err(super::linker::unknown());
    }
    let near = pages_near(address, PAGE)?;
    let code = [&FAR_JUMP[..], &target.to_le_bytes()].concat();
    // SAFETY: a fresh page that nobody knows, larger than this.
    unsafe { near.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    seal(near, PAGE)?;
    // SAFETY: one return, and what nobody runs, by a jump to what the caller wants instead.
    unsafe { replace(address, &jump_to(address, near.addr())?) }
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
pub(super) struct Room(*mut c_void);

impl Room {
    pub(super) fn near(address: usize) -> Result<Self> {
        Ok(Self(pages_near(address, 2 * PAGE)?))
    }

    /// Where the page for code is.
    pub(super) fn code(&self) -> usize {
        self.0.addr()
    }

    /// Where the page for constants is.
    pub(super) fn data(&self) -> usize {
        self.0.addr() + PAGE
    }

    /// Puts code into the first page, which becomes executable, and constants at the start of
    /// the second, which does not. Neither can be written any more.
    pub(super) fn fill(self, offset: usize, code: &[u8], data: &[u8]) -> Result<()> {
        if offset > PAGE || code.len() > PAGE - offset || data.len() > PAGE {
            return Err(too_short());
        }
        let start = self.0.cast::<u8>();
        // SAFETY: a fresh page that nobody knows.
        unsafe { start.write_bytes(TRAP, PAGE) };
        let place = start.wrapping_add(offset);
        // SAFETY: within that page, as checked.
        unsafe { place.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: the second fresh page.
        unsafe { start.wrapping_add(PAGE).copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        // SAFETY: our own page, which holds constants.
        unsafe { mprotect(self.0.wrapping_byte_add(PAGE), PAGE, MprotectFlags::READ) }
            .map_err(refused("a page for constants"))?;
        seal(self.0, PAGE)
    }

    /// Gives the pages back, of which nothing was used.
    pub(super) fn give_back(self) {
        // SAFETY: our own pages, which nobody knows.
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
    // SAFETY: a range that nothing else uses.
    let page =
        unsafe { mmap_anonymous(hint, len, access, flags) }.map_err(refused("a page for code"))?;
    if at.is_some_and(|hint| hint != page.addr()) {
        // SAFETY: just made, and nobody knows it.
        let _ = unsafe { munmap(page, len) };
        return Err(refused("a page for code")(Errno::EXIST));
    }
    Ok(page)
}

fn seal(page: *mut c_void, len: usize) -> Result<()> {
    let access = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: fresh pages of ours.
    unsafe { mprotect(page, len, access) }.map_err(refused("a page for code"))
}
