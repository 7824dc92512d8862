//! Counts how many lines were different, in constant memory: HyperLogLog (Flajolet, Fusy, Gandouet
//! and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm").

/// The number of registers, which gives a standard error of 0.4 %.
const REGISTERS: usize = 1 << BITS;
const BITS: u32 = 16;

/// An estimate of a number of different lines.
pub(crate) struct Distinct(Box<[u8; REGISTERS]>);

impl Default for Distinct {
    fn default() -> Self {
        Self(Box::new([0; REGISTERS]))
    }
}

impl Distinct {
    /// Counts a line, unless it was counted before.
    pub(crate) fn add(&mut self, line: &[u8; 32]) {
        let hash = hash(line);
        let register = &mut self.0[(hash >> (64 - BITS)) as usize];
        // The low bits, and one that ends the count.
        let rank = (hash << BITS | 1 << (BITS - 1)).leading_zeros() + 1;
        *register = (*register).max(rank as u8);
    }

    /// Returns about how many were different.
    pub(crate) fn count(&self) -> u64 {
        let registers = REGISTERS as f64;
        let sum: f64 = self.0.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        // For few lines, the number of empty registers is more precise.
        let count = if estimate < 2.5 * registers && empty > 0 {
            registers * (registers / empty as f64).ln()
        } else {
            estimate
        };
        count.round() as u64
    }
}

/// Mixes all bytes of a line.
fn hash(line: &[u8; 32]) -> u64 {
    let words = line.as_chunks::<8>().0;
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, word| {
        let product = u128::from(hash ^ u64::from_le_bytes(*word)) * 0xd6e8_feb8_6659_fd93_u128;
        // A rotation keeps what one half of the product has lost.
        (product as u64 ^ (product >> 64) as u64).rotate_left(23)
            ^ u64::from_le_bytes(*word).wrapping_mul(0xa076_1d64_78bd_642f)
    })
}

#[cfg(test)]
mod tests {
    use super::Distinct;

    #[test]
    fn it_counts_what_is_different() {
        let mut distinct = Distinct::default();
        for number in [1_000_u64, 1_000_000, 10_000_000] {
            for value in 0..number {
                let mut line = [0x90; 32];
                line[3..11].copy_from_slice(&value.to_le_bytes());
                distinct.add(&line);
                distinct.add(&line);
            }
            let count = distinct.count();
            assert!(count.abs_diff(number) < number / 40, "{count} for {number}");
        }
    }
}
