//! Instructions that no library should execute.

use std::hint::black_box;

use omniglot::{Error, Runtime};

use super::attack::{Attack, FAULT, Must, attack, limit};
use super::hostile::Instruction;
use super::machine::INSTRUCTIONS;

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let mut all: Vec<_> = INSTRUCTIONS
        .iter()
        .map(|&(name, must, instruction)| {
            attack(format!("instructions::{name}"), must, move |api, _| {
                api.execute(instruction).map(|()| true)
            })
            .in_process(must_in_process(instruction, must))
            // Most are not in an image: others that fault are in their places.
            .in_region(FAULT)
            // QEMU implements neither alignment checks nor int1.
            .needs_processor(matches!(
                instruction,
                Instruction::ALIGNMENT_CHECK | Instruction::DEBUG_TRAP
            ))
        })
        .collect();
    all.push(attack("instructions::upset_registers", Must::EndSomehow, |api, _| {
        limit(api);
        let outcome = api.upset_registers();
        // Checks the host's own registers: rounding, exceptions, direction flag.
        let third = black_box(1.0f64) / black_box(3.0);
        let copied = black_box([1u64; 64]).to_vec();
        if third.to_bits() != 0x3fd5_5555_5555_5555 || copied != [1; 64] {
            return Ok(true);
        }
        match outcome.and_then(|()| api.add(2, 3)) {
            Ok(5) => Ok(false),
            Ok(_) => Err(Error::WrongInstance),
            Err(error) => Err(error),
        }
    }));
    all
}

/// The vsyscall page returns the time without a system call. Seccomp filters stop it, Syscall User
/// Dispatch does not. It writes with its caller's rights, and the time stamp counter is readable
/// anyway.
const fn must_in_process(instruction: Instruction, must: Must) -> Must {
    if matches!(instruction, Instruction::VSYSCALL) { Must::Run } else { must }
}
