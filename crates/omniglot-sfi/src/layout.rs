//! Where things lie in an image.

use omniglot_verify::layout::{GATE_ABORT, GATE_CALL, GATE_SYSTEM_CALL};

/// Page size: what is protected in one way is whole pages.
pub(crate) const PAGE: u64 = 4096;

/// Names that objects may use, and where they are.
pub(crate) const NAMES: [(&str, u64); 3] = [
    ("omniglot_sfi_gate_call", GATE_CALL),
    ("omniglot_sfi_gate_system_call", GATE_SYSTEM_CALL),
    ("omniglot_sfi_gate_abort", GATE_ABORT),
];

/// What is at `%fs:0` and behind it: the C library's own record of the thread. musl's has 200
/// bytes.
pub(crate) const THREAD_SIZE: usize = 512;
/// Of that, where the stack protector's number is (psABI; gcc and clang use no other place).
pub(crate) const CANARY: usize = 0x28;
/// And where r11 and flags are kept, and RAX meanwhile: behind all that a C library knows of.
pub(crate) const KEPT_R11: i64 = 488;
pub(crate) const KEPT_FLAGS: i64 = 496;
pub(crate) const KEPT_RAX: i64 = 504;
