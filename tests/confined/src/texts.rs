//! Texts to run: what the verifier accepts of random and mutated bytes.

use omniglot_fuzz::Random;
use omniglot_verify::{BASE, GUARD, LINE, Rule, TEXT_MIN, Text, verify};

use crate::region::{GATES, TEXT};

/// The longest no-op instruction.
const NOP: [u8; 9] = [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
const HLT: u8 = 0xf4;
const SIZE: usize = LINE as usize;

/// Pieces of code that were accepted by themselves, and statistics.
pub(crate) struct Texts {
    /// A text whose first line is tried. The rest has no effect.
    alone: Box<[u8; TEXT]>,
    /// Pieces that were accepted, for making larger texts.
    pieces: Vec<Vec<u8>>,
    pub(crate) tried: u64,
    pub(crate) accepted: u64,
    /// The number of texts made of many pieces.
    pub(crate) whole: u64,
}

/// The largest number of pieces to keep.
const PIECES: usize = 8192;

fn idle() -> [u8; SIZE] {
    let mut line = [0x90; SIZE];
    for at in [0, 9, 18] {
        line[at..at + 9].copy_from_slice(&NOP);
    }
    line[27..].copy_from_slice(&[0x0f, 0x1f, 0x44, 0, 0]);
    line
}

fn is_accepted(text: &[u8; TEXT]) -> Result<(), (Rule, u64)> {
    let text = Text { bytes: text, at: TEXT_MIN, gates: GATES..GATES + 4096 };
    verify(&text).map(drop).map_err(|refusal| (refusal.rule, refusal.at - TEXT_MIN))
}

impl Texts {
    pub(crate) fn new() -> Self {
        let mut alone = Box::new([HLT; TEXT]);
        // It stops after the first line. The other lines are as cheap to verify as possible.
        for line in alone[2 * SIZE..TEXT - SIZE].chunks_exact_mut(SIZE) {
            line.copy_from_slice(&idle());
        }
        Self { alone, pieces: Vec::new(), tried: 0, accepted: 0, whole: 0 }
    }

    /// Makes another byte sequence. Returns the text that begins with it, if it is accepted.
    pub(crate) fn single(&mut self, random: &mut Random) -> Option<&[u8; TEXT]> {
        let piece = self.candidate(random);
        let mut line = idle();
        let length = piece.len().min(SIZE);
        line[..length].copy_from_slice(&piece[..length]);
        // One-byte no-ops follow, so that a sequence of any length fits.
        line[length..].fill(0x90);
        self.alone[..SIZE].copy_from_slice(&line);
        self.tried += 1;
        is_accepted(&self.alone).ok()?;
        self.accepted += 1;
        if self.pieces.len() < PIECES {
            self.pieces.push(piece);
        } else {
            let at = random.index(PIECES);
            self.pieces[at] = piece;
        }
        Some(&self.alone)
    }

    /// Returns bytes that may be an instruction or a few: random ones, or a mutated piece that was
    /// accepted.
    fn candidate(&self, random: &mut Random) -> Vec<u8> {
        match random.below(16) {
            0 => {
                let length = 1 + random.index(SIZE);
                random.bytes(length)
            }
            1..=3 if !self.pieces.is_empty() => {
                let mut piece = random.pick(&self.pieces).clone();
                random.mutate(&mut piece);
                piece
            }
            4 => group(random),
            _ => random.instruction(),
        }
    }

    /// Returns a text of many accepted pieces, some of them mutated. Lines that are not accepted
    /// are cleared.
    pub(crate) fn whole(&mut self, random: &mut Random) -> Option<[u8; TEXT]> {
        if self.pieces.is_empty() {
            return None;
        }
        let mut text = [0x90; TEXT];
        let lines = SIZE << random.below(2);
        for line in text.chunks_exact_mut(lines) {
            self.line(random, line);
        }
        text[TEXT - SIZE..].fill(HLT);
        for _ in 0..TEXT / SIZE {
            self.tried += 1;
            match is_accepted(&text) {
                Ok(()) => {
                    self.accepted += 1;
                    self.whole += 1;
                    return Some(text);
                }
                Err((_, at)) => {
                    let start = (at as usize).min(TEXT - 1) / SIZE * SIZE;
                    text[start..start + SIZE].copy_from_slice(&idle());
                }
            }
        }
        None
    }

    /// Fills lines with pieces, some of which extend into the next line, if there is one.
    fn line(&self, random: &mut Random, line: &mut [u8]) {
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
