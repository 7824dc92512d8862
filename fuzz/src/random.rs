//! Random numbers, and random input.

/// A source of random numbers: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators").
#[derive(Clone, Debug)]
pub struct Random(u64);

/// Numbers at the ends of common ranges.
const EDGES: [u64; 16] = [
    0,
    1,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 47,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

impl Random {
    /// Makes a source with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number, any of 64 bits.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns a number below `limit`, or 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number().checked_rem(limit).unwrap_or(0)
    }

    /// Returns an index into something with `len` elements.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Returns true once in `times` on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns a random byte.
    pub const fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    /// Returns `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// Returns one of the choices.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Returns a number that is often at or near the end of a range.
    pub fn edge(&mut self) -> u64 {
        match self.below(4) {
            0 => self.number(),
            1 => self.below(256),
            2 => self.pick(&EDGES).wrapping_add(self.below(5)).wrapping_sub(2),
            _ => *self.pick(&EDGES),
        }
    }

    /// Returns at most 20 bytes that often begin with an x86-64 instruction: prefixes, an opcode of
    /// some map, and more bytes.
    pub fn instruction(&mut self) -> Vec<u8> {
        const PREFIXES: [u8; 6] = [0x66, 0xf2, 0xf3, 0xf0, 0x65, 0x67];
        const MAPS: [&[u8]; 6] = [&[], &[], &[0x0f], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];
        let mut bytes = Vec::with_capacity(32);
        match self.below(3) {
            0 => {}
            1 => bytes.extend([0x65, 0x67]),
            _ => bytes.extend(PREFIXES.iter().filter(|_| self.once_in(5))),
        }
        match self.below(8) {
            0 => bytes.extend([0xc5, self.byte()]),
            1 => bytes.extend([0xc4, self.byte() & 0xe3, self.byte()]),
            _ => {
                if self.once_in(3) {
                    bytes.push(0x40 | self.byte() & 15);
                }
                bytes.extend(*self.pick(&MAPS));
            }
        }
        let rest = 2 + self.index(9);
        bytes.extend(self.bytes(rest));
        bytes
    }

    /// Changes some of the bytes. Most stay the same.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            self.mutate_once(bytes);
        }
    }

    fn mutate_once(&mut self, bytes: &mut Vec<u8>) {
        let at = self.index(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.byte()),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => self.repeat_part(bytes),
            4 | 5 => self.put_edge(bytes, at),
            6 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.byte()),
        }
    }

    /// Overwrites bytes with a number of some size.
    fn put_edge(&mut self, bytes: &mut [u8], at: usize) {
        let size = *self.pick(&[1, 2, 4, 8]);
        let number = self.edge().to_le_bytes();
        let at = if self.once_in(2) { at / size * size } else { at };
        bytes.iter_mut().skip(at).zip(number).take(size).for_each(|(into, from)| *into = from);
    }

    fn repeat_part(&mut self, bytes: &mut Vec<u8>) {
        let start = self.index(bytes.len());
        let end = bytes.len().min(start + self.index(64));
        let part = bytes[start..end].to_vec();
        let at = self.index(bytes.len() + 1);
        bytes.splice(at..at, part);
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_gives_the_same() {
        let bytes = |seed| Random::new(seed).bytes(64);
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    #[test]
    fn everything_that_can_be_chosen_is() {
        let mut random = Random::new(1);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[random.index(5)] = true);
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn mutation_takes_any_bytes() {
        for seed in 0..2000 {
            let mut random = Random::new(seed);
            let mut bytes = random.bytes(seed as usize % 20);
            random.mutate(&mut bytes);
        }
    }
}
