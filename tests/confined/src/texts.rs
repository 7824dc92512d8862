//! Texts to run: what the verifier accepts of random and mutated bytes.

use omniglot_fuzz::Random;
use omniglot_verify::{BASE, GUARD, LINE, TEXT_MIN, Text, verify};

use crate::distinct::Distinct;
use crate::region::{EXIT, GATES, TEXT};

/// The longest no-op instruction.
const NOP: [u8; 9] = [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
const HLT: u8 = 0xf4;
const SIZE: usize = LINE as usize;

/// The size of a slot: a line for a sequence, and one that leaves.
pub(crate) const SLOT: usize = 2 * SIZE;
/// The number of slots in a text.
const SLOTS: usize = TEXT / SLOT;
/// The length of the jump in a slot's second line.
const JUMP: usize = 5;
/// A byte that is no instruction in 64-bit code.
const INVALID: u8 = 0x06;
/// The number of one-byte no-ops behind a sequence, so that it fits with any length: the last
/// instruction, if it is incomplete, takes some as its displacement and immediate.
const SHORT_NOPS: usize = 8;

/// The length of the shortest mutated piece.
const SHORTEST: usize = 4;

/// The no-ops for each length.
const NOPS: [&[u8]; 10] = [
    &[],
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0],
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0x44, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &NOP,
];

/// A text that the verifier accepted.
pub(crate) type Bytes = [u8; TEXT];

/// Statistics.
#[derive(Default)]
pub(crate) struct Tried {
    /// Byte sequences that the verifier was given.
    pub(crate) tried: u64,
    pub(crate) accepted: u64,
    /// The number of texts made of many pieces.
    pub(crate) whole: u64,
    pub(crate) distinct: Distinct,
}

/// Makes texts, and has pieces of code that were accepted by themselves.
///
/// A sequence is verified twice: first alone, and if it is not refused there, in its slot of a text
/// that has one in each slot. So the cost of verifying a whole page is shared.
pub(crate) struct Texts {
    /// For sequences alone. It ends, as far as the verifier reads, behind the first slot's jump.
    alone: Box<Bytes>,
    /// A text without sequences.
    empty: Box<Bytes>,
    /// Pieces that were accepted, for making larger texts.
    pieces: Vec<Vec<u8>>,
}

/// A text with a sequence in each of some slots.
pub(crate) struct Slots {
    pub(crate) text: Box<Bytes>,
    /// The sequences that are in the text, by slot.
    pieces: Vec<Option<Vec<u8>>>,
}

/// The largest number of pieces to keep.
const PIECES: usize = 8192;

fn idle() -> [u8; SIZE] {
    let mut line = [0; SIZE];
    pad(&mut line);
    line
}

/// Fills with long no-ops, which are cheap to verify.
fn pad(mut rest: &mut [u8]) {
    while !rest.is_empty() {
        let (nop, behind) = rest.split_at_mut(rest.len().min(NOP.len()));
        nop.copy_from_slice(NOPS[nop.len()]);
        rest = behind;
    }
}

/// Makes a text whose slots are idle and leave through the gate.
fn empty() -> Box<Bytes> {
    let mut text = Box::new([HLT; TEXT]);
    for (number, slot) in text.chunks_exact_mut(SLOT).enumerate() {
        let end = TEXT_MIN + (number * SLOT + SIZE + JUMP) as u64;
        slot[..SIZE].copy_from_slice(&idle());
        slot[SIZE] = 0xe9;
        slot[SIZE + 1..SIZE + JUMP].copy_from_slice(&((EXIT - end) as u32).to_le_bytes());
        // The last byte ends the text.
        pad(&mut slot[SIZE + JUMP..SLOT - 1]);
    }
    text
}

/// Returns true if the first instruction is a branch to a constant place. It is most likely to a
/// wrong place of the text, which is refused only after the verifier has read all of the text.
fn is_branch(piece: &[u8]) -> bool {
    matches!(piece, [0x70..=0x7f | 0xe8 | 0xe9 | 0xeb, ..] | [0x0f, 0x80..=0x8f, ..])
}

/// Gives a text to the verifier. Returns the broken rule's place, if there is one.
fn verdict(text: &Bytes) -> Result<(), usize> {
    let text = Text { bytes: text, at: TEXT_MIN, gates: GATES..GATES + 4096 };
    verify(&text).map(drop).map_err(|refusal| ((refusal.at - TEXT_MIN) as usize).min(TEXT - 1))
}

impl Slots {
    /// The offsets of accepted sequences in the text.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u64> {
        let slots = self.pieces.iter().enumerate();
        slots.filter_map(|(slot, piece)| piece.as_ref().map(|_| (slot * SLOT) as u64))
    }
}

impl Texts {
    pub(crate) fn new() -> Self {
        let empty = empty();
        let mut alone = empty.clone();
        alone[SIZE + JUMP] = INVALID;
        Self { alone, empty, pieces: Vec::new() }
    }

    /// Makes at most `most` byte sequences, until there is a text full of accepted ones. Returns
    /// the text, and how many it made.
    pub(crate) fn slots(
        &mut self,
        random: &mut Random,
        most: u32,
        statistics: &mut Tried,
    ) -> (Slots, u32) {
        let mut slots = Slots { text: self.empty.clone(), pieces: Vec::with_capacity(SLOTS) };
        let mut made = 0;
        while made < most && slots.pieces.len() < SLOTS {
            made += 1;
            let mut piece = self.candidate(random);
            let mut verdict = self.add(random, &piece, &mut slots, statistics);
            // What comes before the refused instruction is another sequence.
            if let Some(at) = verdict
                && (1..piece.len()).contains(&at)
                && made < most
                && (!is_branch(&piece) || random.once_in(4))
            {
                made += 1;
                piece.truncate(at);
                verdict = self.add(random, &piece, &mut slots, statistics);
            }
            if verdict.is_none() {
                slots.pieces.push(Some(piece));
            }
        }
        self.settle(&mut slots);
        for piece in slots.pieces.iter().flatten() {
            statistics.accepted += 1;
            self.keep(random, piece);
        }
        (slots, made)
    }

    /// Gives a sequence to the verifier, followed by a jump and something that is refused, and adds
    /// it to the text unless it is refused for itself. Then returns the offset in the line of what
    /// is refused. Here the verifier gets no further than the jump, so it has not looked at where
    /// branches lead.
    fn add(
        &mut self,
        random: &mut Random,
        piece: &[u8],
        slots: &mut Slots,
        statistics: &mut Tried,
    ) -> Option<usize> {
        let line = self.line(random, piece);
        self.alone[..SIZE].copy_from_slice(&line);
        statistics.tried += 1;
        statistics.distinct.add(&line);
        let refused = verdict(&self.alone).err().filter(|at| *at < SIZE);
        if refused.is_none() {
            slots.text[slots.pieces.len() * SLOT..][..SIZE].copy_from_slice(&line);
        }
        refused
    }

    /// Takes out sequences that are refused in their slot, until the text is accepted: branches
    /// whose targets are not right there.
    fn settle(&self, slots: &mut Slots) {
        while let Err(at) = verdict(&slots.text) {
            let slot = at / SLOT;
            if slots.pieces.get_mut(slot).and_then(Option::take).is_none() {
                // The verifier refuses what it has just accepted. Nothing of it runs.
                slots.pieces.clear();
                return;
            }
            slots.text[slot * SLOT..][..SIZE].copy_from_slice(&idle());
        }
    }

    fn keep(&mut self, random: &mut Random, piece: &[u8]) {
        if self.pieces.len() < PIECES {
            self.pieces.push(piece.to_vec());
        } else {
            let at = random.index(PIECES);
            piece.clone_into(&mut self.pieces[at]);
        }
    }

    /// Returns bytes that may be an instruction or a few: random ones, or a mutated piece that was
    /// accepted.
    fn candidate(&self, random: &mut Random) -> Vec<u8> {
        match random.below(16) {
            0 => {
                let length = SHORTEST + random.index(SIZE - SHORTEST);
                random.bytes(length)
            }
            1..=3 if !self.pieces.is_empty() => {
                let mut piece = random.pick(&self.pieces).clone();
                random.mutate(&mut piece);
                // Otherwise short pieces, most of which are accepted, would displace the others.
                let missing = SHORTEST.saturating_sub(piece.len());
                piece.extend(random.bytes(missing));
                piece
            }
            4 => group(random),
            _ => random.instruction(),
        }
    }

    /// Returns a text of many accepted pieces, some of them mutated. Lines that are not accepted
    /// are cleared.
    pub(crate) fn whole(
        &mut self,
        random: &mut Random,
        statistics: &mut Tried,
    ) -> Option<Box<Bytes>> {
        if self.pieces.is_empty() {
            return None;
        }
        let mut text = Box::new([0x90; TEXT]);
        let lines = SIZE << random.below(2);
        for line in text.chunks_exact_mut(lines) {
            self.fill(random, line);
        }
        text[TEXT - SIZE..].fill(HLT);
        for _ in 0..TEXT / SIZE {
            match verdict(&text) {
                Ok(()) => {
                    statistics.whole += 1;
                    return Some(text);
                }
                Err(at) => text[at / SIZE * SIZE..][..SIZE].copy_from_slice(&idle()),
            }
        }
        None
    }

    /// Returns a line that begins with a piece, and mostly ends with another one that was accepted.
    /// So few lines are the same, although many pieces are short.
    fn line(&self, random: &mut Random, piece: &[u8]) -> [u8; SIZE] {
        let mut line = [NOPS[1][0]; SIZE];
        let length = piece.len().min(SIZE);
        line[..length].copy_from_slice(&piece[..length]);
        let mut end = SIZE;
        let gap = if random.once_in(2) { 0 } else { SHORT_NOPS / 2 };
        if !self.pieces.is_empty() {
            let other = random.pick(&self.pieces);
            if length + gap + other.len() <= SIZE {
                end -= other.len();
                line[end..].copy_from_slice(other);
            }
        }
        let start = end.min(length + SHORT_NOPS);
        pad(&mut line[start..end]);
        line
    }

    /// Fills lines with pieces, some of which extend into the next line, if there is one.
    fn fill(&self, random: &mut Random, line: &mut [u8]) {
        let mut at = 0;
        while at < line.len() && !random.once_in(8) {
            let mut piece = random.pick(&self.pieces).clone();
            if random.once_in(32) {
                random.mutate(&mut piece);
            }
            match random.below(8) {
                0 => piece = branch(random),
                1 => piece = group(random),
                _ => {}
            }
            if piece.len() > line.len() - at {
                break;
            }
            line[at..at + piece.len()].copy_from_slice(&piece);
            at += piece.len();
        }
    }
}

/// Returns a branch across some lines, or to a gate.
fn branch(random: &mut Random) -> Vec<u8> {
    let distance = if random.once_in(8) {
        (GUARD as i32) + random.below(64) as i32 - 32
    } else {
        (random.below(64) as i32 - 32) * SIZE as i32 - random.below(32) as i32
    };
    let opcode = one(random, &[&[0xe9], &[0xe8], &[0x0f, 0x84], &[0x0f, 0x85]]);
    [opcode, &distance.to_le_bytes()].concat()
}

/// Returns one of the byte strings.
fn one<'a>(random: &mut Random, choices: &[&'a [u8]]) -> &'a [u8] {
    choices[random.index(choices.len())]
}

/// Returns something similar to a group.
fn group(random: &mut Random) -> Vec<u8> {
    let register = random.byte() & 15;
    let (high, low) = (register >> 3, register & 7);
    let [a, b, c, d] = BASE.to_le_bytes();
    let add = [0x65, 0x48 | high << 2, 0x03, 0x04 | low << 3, 0x25, a, b, c, d];
    let rex: &[u8] = if high == 1 { &[0x41] } else { &[] };
    let mut group = match random.below(4) {
        0 => {
            let end = match random.below(3) {
                0 => [0xff, 0xe0 | low],
                1 => [0xff, 0xd0 | low],
                _ => [0x50 | low, 0xc3],
            };
            [rex, &[0x83, 0xe0 | low, 0xe0], &add, rex, &end].concat()
        }
        1 => {
            let opcode = *random.pick(&[0x89_u8, 0x8b, 0x8d, 0x01, 0x29, 0x21, 0x03, 0x81, 0x83]);
            let modrm = random.byte();
            let rest = random.bytes(4);
            let length = random.index(5);
            [&[opcode, modrm][..], &rest[..length], &[0x65, 0x48, 0x03, 0x24, 0x25, a, b, c, d]]
                .concat()
        }
        2 => {
            let rdi = [0x89, 0xff, 0x65, 0x48, 0x03, 0x3c, 0x25, a, b, c, d];
            let rsi = [0x89, 0xf6, 0x65, 0x48, 0x03, 0x34, 0x25, a, b, c, d];
            let (rdi, rsi) = (&rdi[..], &rsi[..]);
            let start = random.pick(&[vec![rdi, rsi], vec![rdi], vec![rsi]]).concat();
            let opcode =
                *random.pick(&[0xa4_u8, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]);
            let prefix = one(random, &[&[], &[0xf3], &[0xf2], &[0x66], &[0x48], &[0xf3, 0x48]]);
            [&start, prefix, &[opcode]].concat()
        }
        _ => {
            // Steps of the stack pointer, often followed by an access.
            let mut steps = Vec::new();
            for _ in 0..=random.below(3) {
                let step = [0x48, *random.pick(&[0x81, 0x83]), *random.pick(&[0xc4, 0xec, 0xe4])];
                let number = if random.once_in(2) { 0xfff0 } else { random.edge() as i32 };
                let size = if step[1] == 0x83 { 1 } else { 4 };
                steps.extend(step);
                steps.extend(&number.to_le_bytes()[..size]);
            }
            let accesses: [&[u8]; 5] = [
                &[0x48, 0x83, 0x0c, 0x24, 0],
                &[0x50],
                &[0x58],
                &[0x48, 0x8b, 0x44, 0x24, 0x10],
                &[],
            ];
            steps.extend(*random.pick(&accesses));
            steps
        }
    };
    match random.below(4) {
        0 => random.mutate(&mut group),
        // Replaces a byte.
        1 => {
            let at = random.index(group.len());
            group[at] = random.byte();
        }
        _ => {}
    }
    group
}
