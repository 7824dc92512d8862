//! The PMP entries that foreign code runs under (privileged specification, section 3.7).
//!
//! A domain is one range of memory, code first and then RAM, so three entries do: their
//! addresses are the range's start, the end of its code and its own end, and the last two
//! match from the address before to their own (TOR). Two entries of power-of-two size
//! (NAPOT) would be one less, and would make every domain's code and RAM a power of two
//! each, aligned to its size: more RAM lost than a domain often has.
//!
//! They are on from [`PmpEntries::open`] to [`PmpEntries::put_back`]. Where machine-mode
//! lockdown is on (Smepmp specification, table 1), such entries shut machine mode out, so the
//! kernel touches nothing of the domain in between. Elsewhere, in a kernel that has nothing
//! else in user mode ([`Kernel::EXCLUSIVE`]), they are not put back, and stay on between calls.
#![allow(unsafe_code)]

use omniglot_core::{Error, Result};

use crate::Kernel;
use crate::csr::{MSECCFG, read, swap, without_interrupts};

/// How many entries a domain takes.
const ENTRIES: usize = 3;
/// How many entries one `pmpcfg` register describes on RV32.
const PER_REGISTER: usize = 4;
/// How many `pmpcfg` registers there can be for 16 entries.
const REGISTERS: usize = 4;
/// How far addresses in `pmpaddr` are shifted.
const SHIFT: u32 = 2;

/// Bits of an entry's settings.
const READ: u8 = 1;
const WRITE: u8 = 1 << 1;
const EXECUTE: u8 = 1 << 2;
const TOP_OF_RANGE: u8 = 1 << 3;
const MATCHING: u8 = 0b11 << 3;
const LOCKED: u8 = 1 << 7;

/// `mseccfg.MML`: machine-mode lockdown.
const LOCKDOWN: u32 = 1;

/// The entries' values, for each register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PmpEntries {
    addresses: [u32; ENTRIES],
    settings: [u32; REGISTERS],
}

/// Runs an expression for each of the hart's registers of settings, in straight code whatever the
/// compiler optimises for: a register's number is part of an instruction.
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
    /// Computes what the registers hold while foreign code runs, and checks that the hart takes it.
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
        protection.try_out::<K>()?;
        Ok(protection)
    }

    /// Whether the hart takes the values as they are: fields may be read-only, and
    /// addresses may be kept in coarser steps than 4 bytes.
    fn try_out<K: Kernel>(&self) -> Result<()> {
        let holds = without_interrupts(|| {
            let before = self.open::<K>();
            let holds = self.holds::<K>() && self.holds_addresses::<K>();
            before.put_back::<K>();
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

    /// Makes these the hart's entries, and gives what they were. Interrupts are off.
    #[inline(always)]
    pub(crate) fn open<K: Kernel>(&self) -> Self {
        let [one, two, three] = self.addresses;
        let addresses = [
            swap_address(K::FIRST_ENTRY, one),
            swap_address(K::FIRST_ENTRY + 1, two),
            swap_address(K::FIRST_ENTRY + 2, three),
        ];
        Self { addresses, settings: self.swap_settings::<K>() }
    }

    /// Puts back what [`open`](Self::open) found.
    #[inline(always)]
    pub(crate) fn put_back<K: Kernel>(&self) {
        // The settings first: an entry is never on with another's address.
        self.swap_settings::<K>();
        let [one, two, three] = self.addresses;
        swap_address(K::FIRST_ENTRY, one);
        swap_address(K::FIRST_ENTRY + 1, two);
        swap_address(K::FIRST_ENTRY + 2, three);
    }

    /// Whether the settings are in force, read back from the hart.
    ///
    /// Then the addresses are, too: the hart took just these once
    /// ([`try_out`](Self::try_out)), and what could have kept it from it since is a lock, on
    /// one of the entries or on a range (TOR) that begins where they end. Locks are settings.
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

/// What the settings are now.
fn current<K: Kernel>() -> [u32; REGISTERS] {
    let mut settings = [0; REGISTERS];
    each_register!(K; |REGISTER| settings[REGISTER] = read_settings(REGISTER));
    settings
}

/// The settings for foreign code: its own entries, what is locked, and nothing else.
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

/// The setting of an entry that is not the domain's.
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

/// Whether a locked entry gives user mode anything.
fn opens(setting: u8, lockdown: bool) -> bool {
    const SHARED_DATA: u8 = READ | WRITE | EXECUTE;
    match setting & SHARED_DATA {
        0 => false,
        _ if !lockdown => true,
        // What was reserved, writing without reading, is code that both modes run.
        permissions => permissions == SHARED_DATA || permissions & (READ | WRITE) == WRITE,
    }
}

/// Whether lockdown is what the kernel says. Only harts that have the register are asked.
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
            // off where values change (invariant 4). What they allow is for user mode only, which
            // does not run now; what they take from machine mode in lockdown, the kernel does not
            // access (invariant 2).
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
    use crate::{After, Kernel};

    struct Board;

    // SAFETY: there is no hart here, and no call is made, so nothing is promised (invariant 3).
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
        // In the order of the bits: execute, write, read (Smepmp specification, table 1).
        let shared = [0b010, 0b110, 0b111];
        for permissions in 0..8 {
            let setting = LOCKED | 0b11_000 | permissions;
            let refused = other_entry(setting, true).is_err();
            assert_eq!(refused, shared.contains(&permissions), "{permissions:03b}");
        }
        assert_eq!(other_entry(0b11_111, true), Ok(0));
    }
}
