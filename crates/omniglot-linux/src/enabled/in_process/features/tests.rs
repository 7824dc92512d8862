//! What is in the registers after the gate cleared them, as the processor itself saves them.
//!
//! Every register that `XRSTOR` loads gets a secret; `XSAVE` then shows what is left of it. So this
//! covers, on machines that have them, AVX-512 and tiles, which the emulator of the other tests
//! lacks.

use std::arch::naked_asm;

use super::*;
use crate::enabled::in_process::gate::omniglot_clear_registers;

/// A byte value that only secrets contain. Six of them and two zeroes form a canonical address.
const SECRET: u8 = 0x5b;
const SECRET_ADDRESS: [u8; 8] = [SECRET, SECRET, SECRET, SECRET, SECRET, SECRET, 0, 0];

/// What the gate does not clear: the bounds of MPX, and PKRU, which it sets (bits of XCR0, SDM
/// volume 1, section 13.1).
const NOT_CLEARED: u64 = 0x18 | 1 << 9;
const TILE_CONFIGURATION: u32 = 17;
const TILE_DATA: u32 = 18;
/// The gate is not asked.
const NOTHING: u32 = u32::MAX;

/// An area of `XSAVE` in the standard format (SDM volume 1, section 13.4).
struct Area(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u8; 64]);

/// Where some registers are in an area.
struct Part {
    name: String,
    start: usize,
    size: usize,
}

impl Area {
    /// Restoring it sets all registers to the values that programs start with.
    fn new() -> Self {
        let size = __cpuid_count(0xd, 0).ebx as usize;
        let mut area = Self(vec![Line([0; 64]); size.div_ceil(64)]);
        area.write(0, &0x37f_u16.to_le_bytes());
        area.write(24, &0x1f80_u32.to_le_bytes());
        area
    }

    fn write(&mut self, start: usize, bytes: &[u8]) {
        for (index, byte) in (start..).zip(bytes) {
            self.0[index / 64].0[index % 64] = *byte;
        }
    }

    fn read(&self, start: usize, size: usize) -> Vec<u8> {
        (start..start + size).map(|index| self.0[index / 64].0[index % 64]).collect()
    }

    /// A secret in every register.
    fn of_secrets(mask: u64) -> Self {
        let mut area = Self::new();
        area.write(4, &[0xff]); // no x87 register is empty
        area.write(512, &mask.to_le_bytes());
        for part in parts(mask) {
            area.write(part.start, &vec![SECRET; part.size]);
        }
        area.write(8, &SECRET_ADDRESS);
        area.write(16, &SECRET_ADDRESS);
        if mask & u64::from(TILES) != 0 {
            let place = __cpuid_count(0xd, TILE_CONFIGURATION).ebx as usize;
            area.write(place, &eight_full_tiles());
        }
        area
    }

    /// The state components that still contain a byte of the secret.
    fn secrets(&self, mask: u64) -> Vec<String> {
        let holds = |part: &Part| self.read(part.start, part.size).contains(&SECRET);
        let holds_addresses = |part: &Part| self.read(part.start, part.size) == SECRET_ADDRESS;
        parts(mask)
            .into_iter()
            .filter(|part| if part.size == 8 { holds_addresses(part) } else { holds(part) })
            .map(|part| part.name)
            .collect()
    }
}

/// What `LDTILECFG` loads (SDM volume 2): palette 1, eight tiles of 16 rows of 64 bytes.
fn eight_full_tiles() -> [u8; 64] {
    let mut configuration = [0; 64];
    configuration[0] = 1;
    for tile in 0..8 {
        configuration[16 + 2 * tile] = 64;
        configuration[48 + tile] = 16;
    }
    configuration
}

/// Those of x87 and SSE have fixed places (SDM volume 1, section 13.4.1), the others are where
/// the processor says (CPUID leaf 0DH).
fn parts(mask: u64) -> Vec<Part> {
    let part = |name: &str, start, size| Part { name: name.to_owned(), start, size };
    let mut parts = vec![part("last instruction", 8, 8), part("last operand", 16, 8)];
    parts.extend((0..8).map(|register| part("x87", 32 + 16 * register, 10)));
    parts.push(part("xmm", 160, 256));
    for number in (2..63).filter(|number| mask & 1 << number != 0) {
        let place = __cpuid_count(0xd, number);
        let name = format!("state component {number}");
        parts.push(Part { name, start: place.ebx as usize, size: place.eax as usize });
    }
    parts
}

/// Loads `before`, clears what `features` says, saves to `after`, and loads `initial`.
///
/// # Safety
/// All three are areas as large as the processor says, which `XRSTOR` takes, for components
/// (`mask`) that are enabled; `features` are this machine's. `initial` leaves registers as the
/// System V ABI has them between functions (section 3.2.1).
#[unsafe(naked)]
unsafe extern "C" fn exchange(
    before: *const Line,
    after: *mut Line,
    initial: *const Line,
    mask: u64,
    features: u32,
) {
    naked_asm!(
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov r12, rsi",
        "mov r13, rdx",
        "mov r14, rcx",
        "mov ebx, r8d",
        "mov eax, r14d",
        "mov rdx, r14",
        "shr rdx, 32",
        "xrstor64 [rdi]",
        "cmp ebx, {nothing}",
        "je 2f",
        "mov edi, ebx",
        "call {clear}",
        "2:",
        "mov eax, r14d",
        "mov rdx, r14",
        "shr rdx, 32",
        "xsave64 [r12]",
        "xrstor64 [r13]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "ret",
        nothing = const NOTHING as i32,
        clear = sym omniglot_clear_registers,
    )
}

/// Which registers have a secret after the gate cleared what `features` says.
fn left_in(mask: u64, features: u32) -> Vec<String> {
    let before = Area::of_secrets(mask);
    let mut after = Area::new();
    let initial = Area::new();
    let [before, initial] = [&before, &initial].map(|area| area.0.as_ptr());
    // SAFETY: areas of that size, aligned to 64, with a header that names the mask's components
    // or none; the mask is of what is enabled, and this process may use (invariant 17).
    unsafe { exchange(before, after.0.as_mut_ptr(), initial, mask, features) };
    after.secrets(mask)
}

/// All that the gate clears, of what the kernel has enabled, and lets this process use: it has to
/// be asked for tiles (arch_prctl(2), `ARCH_REQ_XCOMP_PERM`).
fn all_registers() -> u64 {
    const ASK: i32 = 0x1023;
    assert_ne!(enabled(), 0, "these tests are for processors that have XSAVE");
    let mask = enabled() & (KNOWN | u64::from(TILES)) & !NOT_CLEARED;
    // SAFETY: changes what instructions may be used, nothing else (invariant 12).
    let refused = unsafe { libc::syscall(libc::SYS_arch_prctl, ASK, TILE_DATA) } != 0;
    if refused { mask & !u64::from(TILES) } else { mask }
}

#[test]
fn no_secret_is_left_in_any_register() {
    let mask = all_registers();
    println!("state components: {mask:#x} of {:#x}", enabled());
    assert_eq!(left_in(mask, features()), Vec::<String>::new());
}

/// Shows that the test above would find a register that is not cleared.
#[test]
fn secrets_are_found_where_nothing_is_cleared() {
    let mask = all_registers();
    let all: Vec<String> = parts(mask).into_iter().map(|part| part.name).collect();
    let left = left_in(mask, NOTHING);
    let missing: Vec<&String> = all.iter().filter(|name| !left.contains(name)).collect();
    // Where tiles are, their configuration is not the secret. AMD's processors save addresses only
    // while an exception is pending (APM volume 2, section 11.4.4).
    let configuration = format!("state component {TILE_CONFIGURATION}");
    assert!(
        missing.iter().all(|name| name.starts_with("last") || **name == configuration),
        "{missing:?} of {all:?}"
    );
}

#[test]
fn registers_are_cleared_whatever_the_processor_has() {
    // Tiles are not in use here, so that asking for them is all that happens.
    let asked = if has_in_use() { AMX } else { 0 };
    for features in [0, features(), features() | asked] {
        // SAFETY: changes registers only, none of which a callee has to keep (System V ABI,
        // section 3.2.1), and of the features those that this machine has (invariant 17).
        unsafe { omniglot_clear_registers(features) };
    }
}

#[test]
fn all_state_of_this_machine_is_known() {
    assert!(!has_unknown_registers(), "XCR0 is {:#x}", enabled());
}

#[test]
fn a_processor_that_keeps_the_operand_is_found_without_its_word() {
    let says_so = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & 1 << 6 != 0;
    assert!(!says_so || x87::keeps_operand());
}
