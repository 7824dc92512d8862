//! AArch64.

use omniglot::FaultKind;

use crate::attacks::attack::{ACCESS, Must};
use crate::attacks::hostile::Instruction;

const ILLEGAL: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

/// Instructions, and what becomes of them in a process. Division by zero gives zero, and there is
/// neither a trap flag nor a page for system calls.
pub(crate) const INSTRUCTIONS: &[(&str, Must, Instruction)] = &[
    ("undefined", ILLEGAL, Instruction::UNDEFINED),
    ("breakpoint", Must::Fault(&[FaultKind::Trap]), Instruction::BREAKPOINT),
    ("debug_state", ILLEGAL, Instruction::DEBUG_TRAP),
    ("halt", ILLEGAL, Instruction::HALT),
    ("disable_interrupts", ILLEGAL, Instruction::DISABLE_INTERRUPTS),
    ("read_control_register", ILLEGAL, Instruction::READ_PORT),
    ("write_control_register", ILLEGAL, Instruction::WRITE_CONTROL_REGISTER),
    ("non_canonical", ACCESS, Instruction::NON_CANONICAL),
    ("misaligned", Must::Fault(&[FaultKind::Bus]), Instruction::ALIGNMENT_CHECK),
    ("call_the_hypervisor", ILLEGAL, Instruction::INTERRUPT_80),
    ("call_the_monitor", ILLEGAL, Instruction::SYSENTER),
];

/// The name of the call with which `vfork_by_number` is made.
pub(crate) const VFORK: &str = "clone";

/// The first calls of 32-bit programs' own (asm/unistd.h), which 64-bit ones do not have.
pub(crate) fn numbers_of_other_abis() -> Vec<i64> {
    (0x0f_0000..0x0f_0010).collect()
}

/// There are none.
pub(crate) const PROBES: &[i64] = &[];
