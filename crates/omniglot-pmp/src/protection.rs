//! The PMP entries that foreign code runs under (privileged specification, section 3.7).
//!
//! A domain is one contiguous range of memory, code first and then RAM. Three entries describe it.
//! Their addresses are the start of the range, the end of its code and the end of the range. The
//! last two entries match from the previous entry's address up to their own (TOR). Two power-of-two
//! entries (NAPOT) would save one entry, but would force every domain's code and RAM to a
//! power-of-two size, aligned to that size. That often wastes more RAM than the domain uses.
//!
//! The entries are active from [`PmpEntries::activate`] to [`PmpEntries::restore`]. Under
//! machine-mode lockdown (Smepmp specification, table 1), user-mode entries exclude machine mode,
//! so the kernel accesses nothing of the domain while they are active. Without lockdown, a kernel
//! that runs nothing else in user mode ([`Kernel::EXCLUSIVE`]) does not restore the old entries,
//! and these stay active between calls.
#![allow(unsafe_code)]

use omniglot_core::{Error, Result};

use crate::csr::{MSECCFG, read, swap, without_interrupts};
use crate::kernel::Kernel;

/// The number of entries that a domain takes.
const ENTRIES: usize = 3;
/// The number of entries that one `pmpcfg` register describes on RV32.
const PER_REGISTER: usize = 4;
/// The number of `pmpcfg` registers for 16 entries.
const REGISTERS: usize = 4;
/// The number of bits by which addresses in `pmpaddr` are shifted right.
const SHIFT: u32 = 2;

/// Bits of an entry's configuration byte.
const READ: u8 = 1;
const WRITE: u8 = 1 << 1;
const EXECUTE: u8 = 1 << 2;
const TOP_OF_RANGE: u8 = 1 << 3;
const MATCHING: u8 = 0b11 << 3;
const LOCKED: u8 = 1 << 7;

/// `mseccfg.MML`: machine-mode lockdown.
const LOCKDOWN: u32 = 1;

/// Register values that activate a domain's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PmpEntries {
    addresses: [u32; ENTRIES],
    settings: [u32; REGISTERS],
}

/// Expands an expression once for each of the hart's configuration registers. The code is
/// straight-line at every optimisation level, since a register's number is part of the instruction.
macro_rules! each_register {
    ($kernel:ident; |$register:ident| $body:expr) => {{
        each_register!(@ $kernel, $register, $body; 0 1 2 3);
    }};
    (@ $kernel:ident, $register:ident, $body:expr; $($number:literal)*) => {
        $({
            const $register: usize = $number;
            if $register * PER_REGISTER < $kernel::ENTRIES {
                $body;
            }
        })*
    };
}

impl PmpEntries {
    /// Computes the register values for running foreign code, and checks that the hart accepts
    /// them.
    pub(crate) fn new<K: Kernel>(start: usize, code_end: usize, end: usize) -> Result<Self> {
        if K::ENTRIES > PER_REGISTER * REGISTERS
            || !K::ENTRIES.is_multiple_of(PER_REGISTER)
            || K::FIRST_ENTRY + ENTRIES > K::ENTRIES
        {
            return Err(Error::Misuse(
                "Kernel: three of up to 16 PMP entries, in fours, are needed",
            ));
        }
        check_lockdown::<K>()?;
        let addresses = [start, code_end, end].map(|address| (address as u32) >> SHIFT);
        let settings = settings::<K>(current::<K>())?;
        let protection = Self { addresses, settings };
        protection.check_accepted::<K>()?;
        Ok(protection)
    }

    /// Checks that the hart keeps the values as written. Fields may be read-only, and the address
    /// granularity may be coarser than 4 bytes.
    fn check_accepted<K: Kernel>(&self) -> Result<()> {
        let holds = without_interrupts(|| {
            let before = self.activate::<K>();
            let holds = self.holds::<K>() && self.holds_addresses::<K>();
            before.restore::<K>();
            holds
        });
        if holds {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "PMP entries that hold this region's bounds",
            remedy: "unlock the kernel's FIRST_ENTRY and the two behind it, and align the region, \
                     in build.rs, to the hart's PMP granularity",
        })
    }

    /// Activates these entries, and returns the previous values. Interrupts must be off.
    #[inline(always)]
    pub(crate) fn activate<K: Kernel>(&self) -> Self {
        let [one, two, three] = self.addresses;
        let addresses = [
            swap_address(K::FIRST_ENTRY, one),
            swap_address(K::FIRST_ENTRY + 1, two),
            swap_address(K::FIRST_ENTRY + 2, three),
        ];
        Self { addresses, settings: self.swap_settings::<K>() }
    }

    /// Restores the values that [`activate`](Self::activate) returned.
    #[inline(always)]
    pub(crate) fn restore<K: Kernel>(&self) {
        // The configuration comes first, so that no entry is ever active with another entry's
        // address.
        self.swap_settings::<K>();
        let [one, two, three] = self.addresses;
        swap_address(K::FIRST_ENTRY, one);
        swap_address(K::FIRST_ENTRY + 1, two);
        swap_address(K::FIRST_ENTRY + 2, three);
    }

    /// Returns true if the configuration, read back from the hart, is in force.
    /// The addresses are then in force, too. The hart accepted exactly these addresses once
    /// ([`check_accepted`](Self::check_accepted)). Only a lock could have prevented that since: on
    /// one of the entries, or on a range (TOR) that begins where they end. Locks are part of the
    /// configuration.
    #[inline(always)]
    pub(crate) fn holds<K: Kernel>(&self) -> bool {
        let mut differing = 0;
        each_register!(K; |REGISTER| differing |= read_settings(REGISTER) ^ self.settings[REGISTER]);
        differing == 0
    }

    #[inline(always)]
    pub(crate) fn holds_addresses<K: Kernel>(&self) -> bool {
        let [one, two, three] = self.addresses;
        let mut differing = read_address(K::FIRST_ENTRY) ^ one;
        differing |= read_address(K::FIRST_ENTRY + 1) ^ two;
        differing |= read_address(K::FIRST_ENTRY + 2) ^ three;
        differing == 0
    }

    #[inline(always)]
    fn swap_settings<K: Kernel>(&self) -> [u32; REGISTERS] {
        let mut before = [0; REGISTERS];
        each_register!(K; |REGISTER| before[REGISTER] = swap_settings(REGISTER, self.settings[REGISTER]));
        before
    }
}

/// Reads the current configuration.
fn current<K: Kernel>() -> [u32; REGISTERS] {
    let mut settings = [0; REGISTERS];
    each_register!(K; |REGISTER| settings[REGISTER] = read_settings(REGISTER));
    settings
}

/// The configuration for foreign code: the domain's entries and locked entries are kept, all others
/// are off.
fn settings<K: Kernel>(current: [u32; REGISTERS]) -> Result<[u32; REGISTERS]> {
    let mut settings = current.map(u32::to_le_bytes);
    for (entry, setting) in settings.as_flattened_mut().iter_mut().enumerate().take(K::ENTRIES) {
        *setting = match entry.wrapping_sub(K::FIRST_ENTRY) {
            0 => 0,
            1 => TOP_OF_RANGE | READ | EXECUTE,
            2 => TOP_OF_RANGE | READ | WRITE,
            _ => other_entry(*setting, K::LOCKDOWN)?,
        };
    }
    Ok(settings.map(u32::from_le_bytes))
}

/// The configuration byte of an entry that is not the domain's.
fn other_entry(setting: u8, lockdown: bool) -> Result<u8> {
    if setting & LOCKED == 0 {
        return Ok(0);
    }
    if setting & MATCHING == 0 || !opens(setting, lockdown) {
        return Ok(setting);
    }
    Err(Error::Unsupported {
        what: "a locked PMP entry allows user mode more than the domain",
        remedy: "lock only entries without permissions, since they also bind user mode; with \
                 Smepmp's lockdown, any that are not shared with it",
    })
}

/// Returns true if a locked entry gives user mode any access.
fn opens(setting: u8, lockdown: bool) -> bool {
    const SHARED_DATA: u8 = READ | WRITE | EXECUTE;
    match setting & SHARED_DATA {
        0 => false,
        _ if !lockdown => true,
        // The reserved encoding, write without read, is code that both modes may execute.
        permissions => permissions == SHARED_DATA || permissions & (READ | WRITE) == WRITE,
    }
}

/// Checks that lockdown is as the kernel claims. The register is read only if the kernel claims
/// lockdown, since not every hart has it.
fn check_lockdown<K: Kernel>() -> Result<()> {
    if !K::LOCKDOWN {
        return Ok(());
    }
    // SAFETY: a kernel in lockdown has the register, as `Kernel` promises (invariant 5).
    if unsafe { read::<MSECCFG>() } & LOCKDOWN != 0 {
        return Ok(());
    }
    Err(Error::Misuse("Kernel: LOCKDOWN is true, and mseccfg.MML is 0"))
}

/// Accesses the register whose number is known at compile time.
macro_rules! numbered {
    ($index:expr; $first:literal: $($offset:literal)*; $access:ident $arguments:tt) => {
        match $index {
            // SAFETY: the hart has the entry, as `Kernel` promises (invariant 5). Interrupts are
            // off where values change (invariant 4). The permissions apply to user mode, which is
            // not running. What lockdown then denies to machine mode, the kernel does not access
            // (invariant 2).
            $($offset => unsafe { $access::<{ $first + $offset }> $arguments },)*
            _ => 0,
        }
    };
}

#[inline(always)]
fn swap_address(entry: usize, value: u32) -> u32 {
    numbered!(entry; 0x3b0: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; swap(value))
}

#[inline(always)]
fn read_address(entry: usize) -> u32 {
    numbered!(entry; 0x3b0: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; read())
}

#[inline(always)]
fn swap_settings(register: usize, value: u32) -> u32 {
    numbered!(register; 0x3a0: 0 1 2 3; swap(value))
}

#[inline(always)]
fn read_settings(register: usize) -> u32 {
    numbered!(register; 0x3a0: 0 1 2 3; read())
}

#[cfg(test)]
mod tests {
    use super::{LOCKED, other_entry, settings};
    use crate::kernel::{After, Kernel};

    struct Board;

    // SAFETY: there is no hart here, and no call is made: nothing to uphold (invariant 3).
    unsafe impl Kernel for Board {
        const FIRST_ENTRY: usize = 3;
        const TICKS_PER_SECOND: u64 = 1;
        fn now(&mut self) -> u64 {
            0
        }
        fn wake_at(&mut self, _: Option<u64>) {}
        fn interrupt(&mut self, _: u32) -> After {
            After::Continue
        }
    }

    #[test]
    fn only_the_domain_and_what_is_locked_stay() {
        let guard = u32::from(LOCKED | 0b11_000);
        let before = [guard | 0x0f00, 0x1f1f_1f1f, 0, 0x0700_0000];
        assert_eq!(settings::<Board>(before), Ok([guard, 0x0b0d, 0, 0]));
    }

    #[test]
    fn locked_entries_that_open_are_refused() {
        assert!(other_entry(LOCKED | 0b11_001, false).is_err());
        assert_eq!(other_entry(LOCKED | 1, false), Ok(LOCKED | 1));
        assert_eq!(other_entry(0b11_111, false), Ok(0));
    }

    #[test]
    fn in_lockdown_only_shared_entries_are_refused() {
        // Bits in the order execute, write, read (Smepmp specification, table 1).
        let shared = [0b010, 0b110, 0b111];
        for permissions in 0..8 {
            let setting = LOCKED | 0b11_000 | permissions;
            let refused = other_entry(setting, true).is_err();
            assert_eq!(refused, shared.contains(&permissions), "{permissions:03b}");
        }
        assert_eq!(other_entry(0b11_111, true), Ok(0));
    }
}
