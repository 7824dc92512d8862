//! A region and its surroundings. [`crate::run`] has the invariants for unsafe code.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io::{Error, Result};
use std::ptr;
use std::slice;

use omniglot_fuzz::Random;
use omniglot_verify::{BASE, GUARD, LINE, REGION, TEXT_MAX, TEXT_MIN};

use crate::run::{self, RIP, Registers, Stop};

/// Length of the text: one page.
pub(crate) const TEXT: usize = PAGE as usize;
const PAGE: u64 = 4096;
/// Offsets of its data from the base, 64 KiB each: after text and gates, in the middle, across 2
/// GiB, and at the end.
const DATA: [u64; 4] = [TEXT_MIN + 0x20000, 0x4000_0000, (1 << 31) - 0x8000, TEXT_MAX - PIECE];
const PIECE: u64 = 0x10000;
/// The end of its stack: in the middle of data, so that steps in either direction find data.
pub(crate) const STACK: u64 = 0x4000_0000 + PIECE / 2;
/// Size of a canary in bytes.
const CANARY: usize = PAGE as usize;
/// The byte that canaries consist of.
const PATTERN: u8 = 0xa7;
/// The offset of the gates: not next to the text, but within reach of its branches.
pub(crate) const GATES: u64 = TEXT_MIN + GUARD;
/// The gate that leads back to the host. All others stop.
pub(crate) const EXIT: u64 = GATES + LINE;
const HLT: u8 = 0xf4;

/// The region and its surroundings.
pub(crate) struct Region {
    base: u64,
    /// The address of a second, writable mapping of the text's page.
    text: u64,
    /// Pages of the host and the neighbours that can be written. They are compared now and then.
    canaries: Vec<u64>,
    /// Addresses that foreign code must not access: in canaries, and in pages that are not mapped,
    /// where an access is noticed at once.
    forbidden: Vec<u64>,
}

/// Maps memory, at a fixed address or anywhere.
fn map(at: Option<u64>, length: u64, protection: c_int, file: Option<c_int>) -> Result<u64> {
    let kind =
        if file.is_some() { libc::MAP_SHARED } else { libc::MAP_PRIVATE | libc::MAP_ANONYMOUS };
    let fixed = if at.is_some() { libc::MAP_FIXED } else { 0 };
    let hint = ptr::with_exposed_provenance_mut(at.unwrap_or_default() as usize);
    let flags = kind | fixed | libc::MAP_NORESERVE;
    // SAFETY: a fixed address is in what this program has reserved for the region (C1).
    let mapped =
        unsafe { libc::mmap(hint, length as usize, protection, flags, file.unwrap_or(-1), 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped.addr() as u64) }
}

const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Region {
    /// Makes the region. It is called once.
    pub(crate) fn new() -> Result<Self> {
        // Room for a neighbour on either side, and for alignment.
        let reserved = map(None, 4 * REGION, libc::PROT_NONE, None)?;
        let base = reserved.next_multiple_of(REGION) + REGION;
        // SAFETY: the name is a C string.
        let file = unsafe { libc::memfd_create(c"text".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: this affects a file only.
        if file < 0 || unsafe { libc::ftruncate(file, TEXT as libc::off_t) } != 0 {
            return Err(Error::last_os_error());
        }
        let text = map(None, TEXT as u64, READ_WRITE, Some(file))?;
        map(Some(base + TEXT_MIN), TEXT as u64, libc::PROT_READ | libc::PROT_EXEC, Some(file))?;
        for data in DATA {
            map(Some(base + data), PIECE, READ_WRITE, None)?;
        }
        let mut region = Self { base, text, canaries: Vec::new(), forbidden: Vec::new() };
        region.base_page(base)?;
        region.gates()?;
        region.surroundings()?;
        set_gs(base)?;
        let stack = map(None, PIECE, READ_WRITE, None)?;
        run::handle_signals(base, stack, PIECE as usize)?;
        Ok(region)
    }

    fn base_page(&self, base: u64) -> Result<()> {
        let page = map(Some(base + u64::from(BASE)), PAGE, READ_WRITE, None)?;
        write(page, &base.to_le_bytes());
        protect(page, PAGE, libc::PROT_READ)
    }

    /// Maps a page of gates, and behind it the address that the exit jumps to. As long as nothing
    /// else faults, a run so ends without a signal, which would take most of its time.
    fn gates(&self) -> Result<()> {
        let page = map(Some(self.base + GATES), 2 * PAGE, READ_WRITE, None)?;
        write(page, &[HLT; PAGE as usize]);
        // jmp *distance(%rip)
        let distance = (GATES + PAGE - EXIT - 6) as u32;
        write(page + EXIT - GATES, &[0xff, 0x25]);
        write(page + EXIT - GATES + 2, &distance.to_le_bytes());
        write(page + PAGE, &run::exit().to_le_bytes());
        protect(page + PAGE, PAGE, libc::PROT_READ)?;
        protect(page, PAGE, libc::PROT_READ | libc::PROT_EXEC)
    }

    /// Maps the neighbours' base pages and the canaries. Most of what foreign code must not access
    /// is not mapped at all, so that each access faults, and is noticed by its address. One page
    /// each of the host's and of the neighbours can be written, as in a real process.
    fn surroundings(&mut self) -> Result<()> {
        self.canary(None)?;
        let closed = map(None, PIECE, libc::PROT_NONE, None)?;
        self.forbidden.push(closed + PIECE / 2);
        for neighbour in [self.base - REGION, self.base + REGION] {
            self.base_page(neighbour)?;
            self.canary(Some(neighbour + REGION / 2))?;
            self.forbidden.push(neighbour + TEXT_MIN + PAGE / 2);
            self.forbidden.push(neighbour + TEXT_MAX - PAGE / 2);
        }
        Ok(())
    }

    fn canary(&mut self, at: Option<u64>) -> Result<()> {
        let at = map(at, CANARY as u64, READ_WRITE, None)?;
        write(at, &[PATTERN; CANARY]);
        self.canaries.push(at);
        self.forbidden.push(at + CANARY as u64 / 2);
        Ok(())
    }

    /// Returns the region's base.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Returns addresses outside that must not be accessed.
    pub(crate) fn forbidden(&self) -> &[u64] {
        &self.forbidden
    }

    /// Returns the offsets of data in the region.
    pub(crate) fn data() -> [u64; 4] {
        DATA.map(|data| data + PIECE / 2)
    }

    /// Fills the data with numbers that `number` returns. So what runs did before is forgotten.
    pub(crate) fn fill(&mut self, random: &mut Random, number: impl Fn(&mut Random, &Self) -> u64) {
        // One random page is enough variety, and the rest repeats it.
        let page: Vec<u8> =
            (0..PAGE / 8).flat_map(|_| number(random, self).to_le_bytes()).collect();
        for data in DATA {
            for at in (0..PIECE).step_by(PAGE as usize) {
                write(self.base + data + at, &page);
            }
        }
    }

    /// Writes a text to its place.
    pub(crate) fn put(&mut self, text: &[u8; TEXT]) {
        write(self.text, text);
    }

    /// Runs the text from a place with these registers, until it stops: see [`run::run`].
    pub(crate) fn run(&mut self, registers: &Registers, start: u64, steps: bool) -> &[Stop] {
        let mut registers = *registers;
        registers[RIP] = self.base + TEXT_MIN + start;
        let gate = self.base + EXIT;
        run::run(self, &registers, gate, steps)
    }

    /// Returns the address of the first canary that was changed, if any, and restores all.
    pub(crate) fn broken(&mut self) -> Option<u64> {
        let is_broken = |canary: &&u64| {
            let at = ptr::with_exposed_provenance(**canary as usize);
            // SAFETY: the page is never unmapped, and no foreign code runs.
            let bytes: &[u8] = unsafe { slice::from_raw_parts(at, CANARY) };
            bytes.as_chunks::<16>().0.iter().any(|word| *word != [PATTERN; 16])
        };
        let broken = *self.canaries.iter().find(is_broken)?;
        self.canaries.iter().for_each(|canary| write(*canary, &[PATTERN; CANARY]));
        Some(broken)
    }

    /// Returns true if the base of `%gs:`, and the number in the base page, are unchanged.
    pub(crate) fn has_its_base(&self) -> bool {
        let mut found = 0_u64;
        // SAFETY: this writes the number only.
        let answer = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut found) };
        let place = ptr::with_exposed_provenance::<u64>((self.base + u64::from(BASE)) as usize);
        // SAFETY: the page is never unmapped, and the address is aligned.
        let number = unsafe { place.read_volatile() };
        answer == 0 && found == self.base && number == self.base
    }
}

/// Codes for `arch_prctl` (asm/prctl.h).
const ARCH_SET_GS: c_int = 0x1001;
const ARCH_GET_GS: c_int = 0x1004;

fn set_gs(base: u64) -> Result<()> {
    // SAFETY: on Linux nothing else uses the GS base.
    if unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) } == 0 {
        Ok(())
    } else {
        Err(Error::last_os_error())
    }
}

fn write(at: u64, bytes: &[u8]) {
    let at = ptr::with_exposed_provenance_mut(at as usize);
    // SAFETY: callers pass places that they mapped writable, and that are long enough.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
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
