//! Patterns in the kernel's memory that show changes.

use core::hint::black_box;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::attacks::Wrong;
use crate::board;

/// Size of each pattern in bytes.
const SIZE: usize = 4096;

/// In `.data`, since it has an initial value.
static INITIALISED: [AtomicU8; SIZE] = [const { AtomicU8::new(1) }; SIZE];
/// In `.bss`.
static ZEROED: [AtomicU8; SIZE] = [const { AtomicU8::new(0) }; SIZE];

/// Returns the pattern's byte at an index. Adjacent bytes differ, and the pattern repeats after
/// 251.
#[inline(never)]
pub(crate) fn pattern() -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (byte, value) in bytes.iter_mut().zip((0u8..251).cycle()) {
        *byte = value ^ 0xa5;
    }
    bytes
}

/// Fills the patterns.
pub(crate) fn fill() {
    for area in [&INITIALISED, &ZEROED] {
        for (byte, value) in area.iter().zip(pattern()) {
            byte.store(value, Ordering::Relaxed);
        }
    }
}

/// Returns true if every byte has its initial value.
pub(crate) fn are_whole() -> bool {
    [&INITIALISED, &ZEROED].iter().all(|area| {
        area.iter().zip(pattern()).all(|(byte, value)| byte.load(Ordering::Relaxed) == value)
    })
}

/// Returns addresses in the kernel's variables.
pub(crate) fn addresses() -> [usize; 2] {
    [&INITIALISED, &ZEROED].map(|area| core::ptr::from_ref(area).addr() + SIZE / 2)
}

/// Runs `body` with a pattern on the kernel's stack below and above it.
pub(crate) fn around_stack<T>(body: impl FnOnce() -> T) -> Result<T, Wrong> {
    let on_stack = black_box(pattern());
    STACK.store(core::ptr::from_ref(&on_stack).addr());
    let result = body();
    if *black_box(&on_stack) != pattern() {
        return Err(Wrong::KernelMemory);
    }
    Ok(result)
}

/// The address of the pattern on the stack.
struct Place(core::sync::atomic::AtomicUsize);

impl Place {
    fn store(&self, address: usize) {
        self.0.store(address, Ordering::Relaxed);
    }
}

static STACK: Place = Place(core::sync::atomic::AtomicUsize::new(0));

/// Returns an address in the pattern on the stack, during an attack.
pub(crate) fn on_stack() -> usize {
    STACK.0.load(Ordering::Relaxed) + SIZE / 2
}

/// Returns a checksum of the kernel's code and constants.
pub(crate) fn code_checksum() -> u32 {
    board::code().iter().fold(1, |sum: u32, word| sum.rotate_left(5).wrapping_add(*word) ^ 0x9e37)
}
