//! Addresses and sizes in an image.

use omniglot_verify::layout::{GATE_ABORT, GATE_CALL, GATE_SYSTEM_CALL};

/// The page size. Each protection applies to whole pages.
pub(crate) const PAGE: u64 = 4096;

/// Symbols that objects may use, with their addresses.
pub(crate) const NAMES: [(&str, u64); 3] = [
    ("omniglot_sfi_gate_call", GATE_CALL),
    ("omniglot_sfi_gate_system_call", GATE_SYSTEM_CALL),
    ("omniglot_sfi_gate_abort", GATE_ABORT),
];

/// The size of the memory at `%fs:0`: the C library's thread control block. musl's has 200 bytes.
pub(crate) const THREAD_SIZE: usize = 512;
/// The offset of the stack protector's canary in it (psABI; gcc and clang use no other place).
pub(crate) const CANARY: usize = 0x28;
/// The offset of what `cpuid` reports: see [`Processor`](crate::processor::Processor).
pub(crate) const PROCESSOR: i64 = 464;
/// Offsets for saving r11, flags and RAX, behind everything that a C library uses.
pub(crate) const KEPT_R11: i64 = 488;
pub(crate) const KEPT_FLAGS: i64 = 496;
pub(crate) const KEPT_RAX: i64 = 504;

/// The symbol of what a system call becomes a call of, if an image has it.
pub(crate) const SERVER: &str = "omniglot_sfi_serve";
