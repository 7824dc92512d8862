//! x86-64.

use omniglot::FaultKind;

use crate::attacks::attack::{ACCESS, ANYHOW, Must};
use crate::attacks::hostile::Instruction;

const TRAP: Must = Must::Fault(&[FaultKind::Trap]);

/// Instructions, and what becomes of them in a process.
pub(crate) const INSTRUCTIONS: &[(&str, Must, Instruction)] = &[
    ("divide_by_zero", Must::Fault(&[FaultKind::Arithmetic]), Instruction::DIVIDE_BY_ZERO),
    ("undefined", Must::Fault(&[FaultKind::IllegalInstruction]), Instruction::UNDEFINED),
    ("breakpoint", TRAP, Instruction::BREAKPOINT),
    ("debug_trap", TRAP, Instruction::DEBUG_TRAP),
    ("trap_flag", TRAP, Instruction::TRAP_FLAG),
    ("halt", ACCESS, Instruction::HALT),
    ("disable_interrupts", ACCESS, Instruction::DISABLE_INTERRUPTS),
    ("read_port", ACCESS, Instruction::READ_PORT),
    ("write_control_register", ACCESS, Instruction::WRITE_CONTROL_REGISTER),
    ("non_canonical", ACCESS, Instruction::NON_CANONICAL),
    ("misaligned", Must::Fault(&[FaultKind::Bus]), Instruction::ALIGNMENT_CHECK),
    // The system call instructions of 32-bit programs, and the vsyscall page. Their effects
    // depend on the processor and the kernel; none of them may succeed.
    ("interrupt_80", ANYHOW, Instruction::INTERRUPT_80),
    ("sysenter", ANYHOW, Instruction::SYSENTER),
    // This is redirected to the domain's server, as other calls are.
    ("vsyscall", Must::Run, Instruction::VSYSCALL),
];

/// The name of the call with which `vfork_by_number` is made.
pub(crate) const VFORK: &str = "vfork";

/// The bit that marks numbers of the x32 ABI.
const X32: i64 = 0x4000_0000;
/// Calls with separate numbers there: `execve`, `ptrace`, `process_vm_writev` and so on.
const X32_ONLY: std::ops::RangeInclusive<i64> = 512..=547;

/// Numbers of system calls that only this architecture has.
pub(crate) fn numbers_of_other_abis() -> Vec<i64> {
    (0..16).chain(X32_ONLY).map(|number| X32 + number).collect()
}

/// The kernel's own calls, for probes that a debugger sets. Called from elsewhere they fail, and
/// since Linux 6.14 no filter sees them.
pub(crate) const PROBES: &[i64] = &[335 /* uretprobe */, 336 /* uprobe */];
