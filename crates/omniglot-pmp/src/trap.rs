//! What a trap of foreign code means.

use core::fmt::Write;

use omniglot_core::{Error, Fault, FaultKind, Text};

use crate::gate::Context;
use crate::image::Image;

/// The highest bit of `mcause`: an interrupt, not an exception.
const INTERRUPT: u32 = 1 << 31;
/// `mcause` of an `ecall` from user mode.
const ECALL: u32 = 8;

/// Why foreign code stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// It asks for something.
    Call,
    /// An interrupt, with its number, that is not its doing.
    Interrupt(u32),
    /// A fault, with its number.
    Exception(u32),
}

impl Trap {
    /// Reads `mcause` (privileged specification, table 3.6).
    #[inline]
    pub(crate) const fn new(cause: u32) -> Self {
        if cause == ECALL {
            Self::Call
        } else if cause & INTERRUPT != 0 {
            Self::Interrupt(cause & !INTERRUPT)
        } else {
            Self::Exception(cause)
        }
    }
}

/// The error for an exception.
pub(crate) fn fault(code: u32, context: &Context, image: &Image, library: &str) -> Error {
    let (pc, value) = (context.pc as usize, context.value as usize);
    let (kind, address) = match code {
        0 | 4 | 6 => (FaultKind::Bus, value),
        2 => (FaultKind::IllegalInstruction, pc),
        3 => (FaultKind::Trap, pc),
        7 if is_below_stack(value, context, image) => (FaultKind::StackOverflow, value),
        // Access faults of fetch, load and store; page faults cannot be, since user mode
        // has no translation here, and would be the same to the user.
        1 | 5 | 7 | 12 | 13 | 15 => (FaultKind::Access, value),
        _ => (FaultKind::IllegalInstruction, pc),
    };
    Error::Fault(Fault { kind, address, place: place(pc, image, library) })
}

/// The error for what foreign code did by calling the environment.
pub(crate) fn call_fault(
    kind: FaultKind,
    context: &Context,
    image: &Image,
    library: &str,
) -> Error {
    let pc = context.pc as usize;
    Error::Fault(Fault { kind, address: pc, place: place(pc, image, library) })
}

/// Whether a store went to the code just below the stack, with the stack pointer near: the
/// stack starts where the RAM does, so that it runs into the code, which is read-only.
fn is_below_stack(address: usize, context: &Context, image: &Image) -> bool {
    const NEAR: usize = 4096;
    let stack = context.x.get(crate::gate::SP) as usize;
    let below = image.start.max(image.ram.saturating_sub(NEAR));
    (below..image.ram).contains(&address) && stack < image.ram + NEAR && stack >= below
}

/// Library and offset, which `addr2line` understands with the ELF file beside the image.
fn place(pc: usize, image: &Image, library: &str) -> Text {
    let mut place = Text::default();
    // A text takes as much as fits, and never fails.
    let _ = if (image.start..image.ram).contains(&pc) {
        write!(place, "{library}+{:#x}", pc - image.start)
    } else {
        write!(place, "{library}, outside its code, at {pc:#x}")
    };
    place
}

#[cfg(test)]
mod tests {
    use super::Trap;

    #[test]
    fn causes_are_told_apart() {
        assert_eq!(Trap::new(8), Trap::Call);
        assert_eq!(Trap::new(7), Trap::Exception(7));
        assert_eq!(Trap::new(0x8000_0007), Trap::Interrupt(7));
    }
}
