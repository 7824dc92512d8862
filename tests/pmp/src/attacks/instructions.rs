//! Control and status registers, and instructions that are not allowed in user mode.

use omniglot::FaultKind;

use super::{Arena, Must, Wrong};
use crate::hostile::INSTRUCTIONS;
use crate::tally::Tally;

pub(crate) fn run(arena: &mut Arena, tally: &mut Tally) {
    let illegal = Must::Fault(FaultKind::IllegalInstruction);
    tally.result("instructions::every_csr_is_unreadable", every_csr(arena, false));
    tally.result("instructions::every_csr_is_unwritable", every_csr(arena, true));
    for index in 0..INSTRUCTIONS.cast_unsigned() {
        let name = format_args!("instructions::privileged_or_unknown_{index}");
        arena.attack(tally, name, &illegal, |api| api.run_instruction(index));
    }
    arena.attack(tally, "instructions::fences_are_harmless", &Must::Harmless, |api| api.fence());
    arena.attack(tally, "instructions::ebreak", &Must::Fault(FaultKind::Trap), |api| {
        api.break_point()
    });
}

/// Tries all 4096 registers, most of which do not exist.
fn every_csr(arena: &mut Arena, write: bool) -> Result<(), Wrong> {
    let illegal = |_| Must::Fault(FaultKind::IllegalInstruction);
    arena.sweep(4096, illegal, |api, number| {
        if write { api.write_csr(number, u32::MAX) } else { api.read_csr(number).map(drop) }
    })
}
