//! Translates traps of foreign code.

use core::fmt::Write;

use omniglot_core::{Error, Fault, FaultKind, Text};

use crate::gate::{Context, SP, Trap};
use crate::image::FlatImage;

/// The highest bit of `mcause`: an interrupt, not an exception.
const INTERRUPT: u32 = 1 << 31;
/// `mcause` of an `ecall` from user mode.
const ECALL: u32 = 8;

/// Why foreign code stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrapKind {
    /// It made an `ecall` with this request.
    Call(u32),
    /// An interrupt with this number occurred, which foreign code did not cause.
    Interrupt(u32),
    /// It caused an exception with this number.
    Exception(u32),
    /// It did not run.
    NotRun,
}

impl Trap {
    /// Foreign code did not run, so there was no trap. No `mcause` has all bits set.
    pub(crate) const NOT_RUN: Self = Self { cause: u32::MAX, request: 0 };

    /// Returns true if the trap is an `ecall` with this request.
    #[inline(always)]
    pub(crate) const fn is_call(self, request: u32) -> bool {
        self.cause == ECALL && self.request == request
    }

    pub(crate) const fn kind(self) -> TrapKind {
        let Self { cause, request } = self;
        if cause == ECALL {
            TrapKind::Call(request)
        } else if cause == Self::NOT_RUN.cause {
            TrapKind::NotRun
        } else if cause & INTERRUPT != 0 {
            TrapKind::Interrupt(cause & !INTERRUPT)
        } else {
            TrapKind::Exception(cause)
        }
    }
}

/// The error for an exception.
#[cold]
pub(crate) fn fault(code: u32, context: &Context, image: &FlatImage, library: &str) -> Error {
    let (pc, value) = (context.pc as usize, context.value as usize);
    let (kind, address) = match code {
        0 | 4 | 6 => (FaultKind::Bus, value),
        2 => (FaultKind::IllegalInstruction, pc),
        3 => (FaultKind::Trap, pc),
        7 if is_below_stack(value, context, image) => (FaultKind::StackOverflow, value),
        // Access faults of fetch, load and store. Page faults cannot occur, since user mode has no
        // address translation here; they would mean the same to the user.
        1 | 5 | 7 | 12 | 13 | 15 => (FaultKind::Access, value),
        _ => (FaultKind::IllegalInstruction, pc),
    };
    Error::Fault(Fault { kind, address, place: place(pc, image, library) })
}

/// The error for a fault that foreign code reports by an `ecall`.
#[cold]
pub(crate) fn call_fault(
    kind: FaultKind,
    context: &Context,
    image: &FlatImage,
    library: &str,
) -> Error {
    let pc = context.pc as usize;
    Error::Fault(Fault { kind, address: pc, place: place(pc, image, library) })
}

/// Returns true if a store hit the code just below the stack, with the stack pointer near. The
/// stack starts where the RAM does, so an overflow runs into the code, which is read-only.
fn is_below_stack(address: usize, context: &Context, image: &FlatImage) -> bool {
    const NEAR: usize = 4096;
    let stack = context.x.get(SP) as usize;
    let below = image.start.max(image.ram.saturating_sub(NEAR));
    (below..image.ram).contains(&address) && stack < image.ram + NEAR && stack >= below
}

/// Library and offset, which `addr2line` understands with the ELF file next to the image.
fn place(pc: usize, image: &FlatImage, library: &str) -> Text {
    let mut place = Text::default();
    // Writing to a `Text` truncates, and never fails.
    let _ = if (image.start..image.ram).contains(&pc) {
        write!(place, "{library}+{:#x}", pc - image.start)
    } else {
        write!(place, "{library}, outside its code, at {pc:#x}")
    };
    place
}

#[cfg(test)]
mod tests {
    use super::{Trap, TrapKind};

    #[test]
    fn causes_are_told_apart() {
        let kind = |cause| Trap { cause, request: 5 }.kind();
        assert_eq!(kind(8), TrapKind::Call(5));
        assert_eq!(kind(7), TrapKind::Exception(7));
        assert_eq!(kind(0x8000_0007), TrapKind::Interrupt(7));
        assert_eq!(Trap::NOT_RUN.kind(), TrapKind::NotRun);
    }
}
