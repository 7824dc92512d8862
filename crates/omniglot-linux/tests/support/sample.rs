//! What takes too long in an emulated processor is sampled there, in another way each time.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the guest of `cargo xtask guest`, whose processor is a program, says of itself.
const EMULATED: &str = "OMNIGLOT_GUEST";
/// Names the seed of a sample, to have the same one again.
const SEED: &str = "OMNIGLOT_SEED";
/// If set, everything is tried, however long that takes.
const WHOLE: &str = "OMNIGLOT_WHOLE";

/// All of these; in an emulated processor so many of them, chosen by a seed that is printed.
pub(crate) fn sample<T>(mut all: Vec<T>, of: &str, most: usize) -> Vec<T> {
    let is_whole = env::var_os(EMULATED).is_none() || env::var_os(WHOLE).is_some();
    if is_whole || all.len() <= most {
        return all;
    }
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh_seed);
    eprintln!("{most} of {} {of} are tried, with {SEED}={seed}; {WHOLE}=1 tries all", all.len());
    let mut noise = Noise(seed);
    // Fisher and Yates, as far as needed.
    for place in 0..most {
        let other = place + noise.below(all.len() - place);
        all.swap(place, other);
    }
    all.truncate(most);
    all
}

fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| u64::from(time.subsec_nanos()))
}

/// Numbers that look random: splitmix64 (Steele, Lea and Flood, 2014).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
