//! What `cpuid` reports in an image.
//!
//! Libraries ask it which code to use. The rewriter knows what the verifier accepts, and which
//! instructions of the library are traps; the host knows the processor. An extension is reported if
//! all of them agree: so no library is led to a trap, and the code for newer processors is used on
//! these.

use iced_x86::CpuidFeature as Feature;

use crate::elf_file::Export;
use crate::layout::PROCESSOR;
use crate::linked::{Linked, Target};

/// Bits of leaf 1, ECX (Intel SDM, volume 2, CPUID).
const LEAF_1: [(u32, &[Feature]); 13] = [
    (0, &[Feature::SSE3]),
    (1, &[Feature::PCLMULQDQ]),
    (9, &[Feature::SSSE3]),
    (12, &[Feature::FMA, Feature::AVX]),
    (19, &[Feature::SSE4_1]),
    (20, &[Feature::SSE4_2]),
    (22, &[Feature::MOVBE]),
    (23, &[Feature::POPCNT]),
    (25, &[Feature::AES]),
    (26, &[Feature::AVX]), // XSAVE, which is asked for beside the next
    (27, &[Feature::AVX]), // OSXSAVE: XGETBV can be used
    (28, &[Feature::AVX]),
    (29, &[Feature::F16C, Feature::AVX]),
];

/// Bits of leaf 7, EBX.
const LEAF_7: [(u32, &[Feature]); 3] =
    [(3, &[Feature::BMI1]), (5, &[Feature::AVX2, Feature::AVX]), (8, &[Feature::BMI2])];

/// Bits of XCR0: the x87 unit's registers, and those of SSE and AVX, belong to the program.
const STATE: [(u32, &[Feature]); 3] = [(0, &[]), (1, &[]), (2, &[Feature::AVX])];

/// The extensions that an image may use.
#[derive(Debug, Default)]
pub(crate) struct Processor {
    /// Those of instructions that are traps in the image.
    trapped: Vec<Feature>,
}

/// The symbol by which the host finds the words.
pub(crate) fn exported(linked: &Linked) -> (Export, Target) {
    let name = omniglot_verify::layout::PROCESSOR.to_owned();
    let export = Export { name, at: 0, size: 16, is_function: false };
    (export, Target::Section(linked.thread, PROCESSOR))
}

impl Processor {
    /// An instruction of these extensions is a trap.
    pub(crate) fn note_trap(&mut self, features: &[Feature]) {
        self.trapped.extend(features);
    }

    /// The words that say so, as
    /// [`layout::PROCESSOR`](omniglot_verify::layout::PROCESSOR) describes.
    pub(crate) fn words(&self) -> [u32; 4] {
        [self.bits(&LEAF_1), self.bits(&LEAF_7), self.bits(&STATE), 0]
    }

    fn bits(&self, known: &[(u32, &[Feature])]) -> u32 {
        let is_usable = |needed: &&[Feature]| !needed.iter().any(|one| self.trapped.contains(one));
        known.iter().filter(|(_, needed)| is_usable(needed)).map(|(bit, _)| 1 << bit).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trap_belongs_to_is_not_reported() {
        let [all_1, all_7, state, none] = Processor::default().words();
        assert_eq!((all_7, state, none), (1 << 3 | 1 << 5 | 1 << 8, 7, 0));
        let mut processor = Processor::default();
        processor.note_trap(&[Feature::AVX2]);
        assert_eq!(processor.words(), [all_1, 1 << 3 | 1 << 8, 7, 0]);
        processor.note_trap(&[Feature::AVX]);
        let without = all_1 & !(1 << 12 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29);
        assert_eq!(processor.words(), [without, 1 << 3 | 1 << 8, 3, 0]);
        processor.note_trap(&[Feature::AVX512F, Feature::MMX]);
        assert_eq!(processor.words(), [without, 1 << 3 | 1 << 8, 3, 0]);
    }
}
