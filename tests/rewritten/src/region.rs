//! A region that holds an image.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::io::{Error, Result};
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _, elf};
use omniglot_verify::{BASE, REGION, TEXT_MIN};

use crate::enter::{
    omniglot_rewritten_enter, omniglot_rewritten_leave, omniglot_rewritten_system_call,
};

/// Offset of its heap, and its size.
const HEAP: u64 = 0x4000_0000;
const HEAP_LENGTH: u64 = 0x2000_0000;
/// Offset of memory for the tests' own use.
pub const ROOM: u64 = 0x8000_0000;
const ROOM_LENGTH: u64 = 0x1000_0000;
/// Offset of the end of its stack.
const STACK: u64 = 0xf000_0000;
const STACK_LENGTH: u64 = 0x80_0000;
const PAGE: u64 = 4096;
const LINE: usize = 32;

static LOCK: Mutex<()> = Mutex::new(());
/// The program break of the region in which something runs (R2).
static BREAK: AtomicU64 = AtomicU64::new(0);
/// The start of what was mapped at the end of its heap.
static MAPPED: AtomicU64 = AtomicU64::new(0);

/// The memory that it has unmapped.
static FREED: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());
/// That region's base.
static BASE_IS: AtomicU64 = AtomicU64::new(0);

pub struct Region {
    base: u64,
    symbols: BTreeMap<String, u64>,
    heap_break: u64,
    mapped: u64,
    freed: Vec<(u64, u64)>,
}

fn map(at: Option<u64>, length: u64, protection: c_int) -> Result<u64> {
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let hint = ptr::with_exposed_provenance_mut(at.unwrap_or_default() as usize);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | fixed;
    // SAFETY: a fixed address is in what was reserved for the region, which nothing else uses (R3).
    let mapped = unsafe { libc::mmap(hint, length as usize, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped.addr() as u64) }
}

fn protect(at: u64, length: u64, protection: c_int) -> Result<()> {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers pass places that they mapped.
    if unsafe { libc::mprotect(at, length as usize, protection) } == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Region {
    /// Loads an image, and runs its start function.
    pub fn load(image: &[u8]) -> Result<Self> {
        let file = ElfFile64::<Endianness>::parse(image).map_err(Error::other)?;
        let reserved = map(None, 3 * REGION, libc::PROT_NONE)?;
        let base = reserved.next_multiple_of(REGION);
        let mut region = Self {
            base,
            symbols: BTreeMap::new(),
            heap_break: HEAP,
            mapped: HEAP + HEAP_LENGTH,
            freed: Vec::new(),
        };
        map(Some(base + u64::from(BASE)), PAGE, READ_WRITE)?;
        region.write(u64::from(BASE), &base.to_le_bytes());
        protect(base + u64::from(BASE), PAGE, libc::PROT_READ)?;
        region.gates()?;
        for (at, length) in
            [(HEAP, HEAP_LENGTH), (ROOM, ROOM_LENGTH), (STACK - STACK_LENGTH, STACK_LENGTH)]
        {
            map(Some(base + at), length, READ_WRITE)?;
        }
        for segment in file.elf_program_headers() {
            if segment.p_type(Endianness::Little) == elf::PT_LOAD {
                region.segment(image, segment)?;
            }
        }
        for symbol in file.symbols() {
            if let Ok(name) = symbol.name() {
                region.symbols.insert(name.to_owned(), symbol.address());
            }
        }
        let entry = file.entry();
        if entry != 0 {
            region.call_at(entry, &[]);
        }
        Ok(region)
    }

    fn segment(&self, image: &[u8], segment: &elf::ProgramHeader64<Endianness>) -> Result<()> {
        let endian = Endianness::Little;
        let (at, length) = (segment.p_vaddr(endian), segment.p_memsz(endian));
        map(Some(self.base + at), length, READ_WRITE)?;
        let data = segment.data(endian, image).unwrap_or_default();
        self.write(at, data);
        let flags = segment.p_flags(endian).0;
        let mut protection = libc::PROT_READ;
        if flags & elf::PF_W.0 != 0 {
            protection |= libc::PROT_WRITE;
        }
        if flags & elf::PF_X.0 != 0 {
            protection |= libc::PROT_EXEC;
        }
        protect(self.base + at, length, protection)
    }

    /// Maps the page of gates: lines that lead to the host's code.
    fn gates(&self) -> Result<()> {
        map(Some(self.base + TEXT_MIN), PAGE, READ_WRITE)?;
        let mut page = vec![0xf4; PAGE as usize];
        let leave = omniglot_rewritten_leave as *const () as u64;
        let system_call = omniglot_rewritten_system_call as *const () as u64;
        for (line, target) in [(0, leave), (2, system_call)] {
            // movabs $target, %r11; jmp *%r11
            let code = [&[0x49, 0xbb][..], &target.to_le_bytes(), &[0x41, 0xff, 0xe3]].concat();
            page[line * LINE..][..code.len()].copy_from_slice(&code);
        }
        self.write(TEXT_MIN, &page);
        protect(self.base + TEXT_MIN, PAGE, libc::PROT_READ | libc::PROT_EXEC)
    }

    /// Returns the address of a symbol that the image exports.
    pub fn symbol(&self, name: &str) -> u64 {
        *self.symbols.get(name).unwrap_or_else(|| panic!("the image exports no {name}"))
    }

    /// Calls a function that the image exports, with up to six numbers.
    pub fn call(&mut self, name: &str, arguments: &[u64]) -> u64 {
        self.call_at(self.symbol(name), arguments)
    }

    fn call_at(&mut self, entry: u64, arguments: &[u64]) -> u64 {
        let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registers = [0; 6];
        registers[..arguments.len()].copy_from_slice(arguments);
        // SAFETY: on Linux nothing else uses the GS base.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, self.base) };
        BASE_IS.store(self.base, Relaxed);
        BREAK.store(self.heap_break, Relaxed);
        MAPPED.store(self.mapped, Relaxed);
        *FREED.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.freed);
        // It returns to the first gate. As after a call, RSP is 8 above a multiple of 16.
        let stack = STACK - 4096 - 8;
        self.write(stack, &TEXT_MIN.to_le_bytes());
        // SAFETY: the verifier accepted the code (R1), and nothing else runs in a region (R2).
        let result = unsafe {
            omniglot_rewritten_enter(self.base + entry, self.base + stack, &raw const registers)
        };
        self.heap_break = BREAK.load(Relaxed);
        self.mapped = MAPPED.load(Relaxed);
        self.freed = std::mem::take(&mut FREED.lock().unwrap_or_else(PoisonError::into_inner));
        drop(guard);
        result
    }

    /// Returns how many bytes of the heap are in memory.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let mut pages = vec![0u8; (HEAP_LENGTH / PAGE) as usize];
        let heap = ptr::with_exposed_provenance_mut((self.base + HEAP) as usize);
        // SAFETY: `pages` has a byte for each page, which is all that is written.
        let outcome = unsafe { libc::mincore(heap, HEAP_LENGTH as usize, pages.as_mut_ptr()) };
        assert_eq!(outcome, 0, "{}", Error::last_os_error());
        pages.iter().filter(|page| **page & 1 != 0).count() as u64 * PAGE
    }

    /// Copies bytes into the region.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        let at = ptr::with_exposed_provenance_mut((self.base + at) as usize);
        // SAFETY: callers pass places in mapped memory (R3).
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
    }

    /// Copies bytes out of the region.
    pub fn read(&self, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let at = ptr::with_exposed_provenance::<u8>((self.base + at) as usize);
        // SAFETY: callers pass places in mapped memory (R3).
        unsafe { ptr::copy_nonoverlapping(at, bytes.as_mut_ptr(), length) };
        bytes
    }
}

/// Code for `arch_prctl` (asm/prctl.h).
const ARCH_SET_GS: c_int = 0x1001;

/// Makes whole pages of the region zero, and gives their memory back.
fn discard(start: u64, end: u64) {
    let place = ptr::with_exposed_provenance_mut((BASE_IS.load(Relaxed) + start) as usize);
    let length = end.saturating_sub(start) as usize;
    // SAFETY: it is mapped (R3), and the region's code no longer uses what is there.
    let outcome = unsafe { libc::madvise(place, length, libc::MADV_DONTNEED) };
    assert_eq!(outcome, 0, "{}", Error::last_os_error());
}

/// Returns unmapped memory of the region that has the wanted length, filled with zeros.
fn reuse(length: u64) -> Option<u64> {
    let mut freed = FREED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = freed.iter().position(|(_, freed)| *freed == length)?;
    let (at, _) = freed.swap_remove(found);
    let memory = ptr::with_exposed_provenance_mut::<u8>((BASE_IS.load(Relaxed) + at) as usize);
    // SAFETY: it is mapped (R3), and the region's code no longer uses it.
    unsafe { ptr::write_bytes(memory, 0, length as usize) };
    Some(at)
}

/// Answers system calls, most of which are for memory.
pub(crate) extern "C" fn answer(number: u64, first: u64, second: u64, third: u64) -> i64 {
    let number = i64::try_from(number).unwrap_or(-1);
    let heap_break = BREAK.load(Relaxed);
    let mapped = MAPPED.load(Relaxed);
    match number {
        libc::SYS_brk => {
            if (HEAP..=mapped).contains(&first) {
                // Of these tests' libraries, all ask for whole pages.
                discard(first.next_multiple_of(PAGE), heap_break);
                BREAK.store(first, Relaxed);
                return first.cast_signed();
            }
            heap_break.cast_signed()
        }
        libc::SYS_mmap => {
            let length = second.next_multiple_of(PAGE);
            if let Some(at) = reuse(length) {
                return at.cast_signed();
            }
            if first != 0 || mapped - heap_break < length {
                return -i64::from(libc::ENOMEM);
            }
            MAPPED.store(mapped - length, Relaxed);
            (mapped - length).cast_signed()
        }
        libc::SYS_munmap => {
            let mut freed = FREED.lock().unwrap_or_else(PoisonError::into_inner);
            freed.push((first & 0xffff_ffff, second.next_multiple_of(PAGE)));
            0
        }
        libc::SYS_madvise => {
            let start = first & 0xffff_ffff;
            if third == libc::MADV_DONTNEED as u64 {
                discard(start, start + second);
            }
            0
        }
        libc::SYS_getrandom => {
            // The same bytes each time, so that a test is reproducible.
            let to = ptr::with_exposed_provenance_mut::<u8>(
                (BASE_IS.load(Relaxed) + (first & 0xffff_ffff)) as usize,
            );
            // SAFETY: the tests' libraries pass their own memory for it (R3).
            unsafe { ptr::write_bytes(to, 0x5a, second as usize) };
            second.cast_signed()
        }
        _ => -i64::from(libc::ENOSYS),
    }
}
