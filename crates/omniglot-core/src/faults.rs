//! Fault injection at every load of foreign memory: in builds with `--cfg omniglot_faults` only.
//!
//! The host reads foreign memory through few functions, of this crate and of the runtimes; each
//! passes what it read to [`bytes`] or [`number`]. In an ordinary build these do nothing. With
//! `--cfg omniglot_faults` they change what was read as the thread's `Plan` says, as foreign code
//! might have done just before. So a test can show that the host copes with any value at every
//! load. A *place* is where such a function was called.

#[cfg(omniglot_faults)]
pub use planned::*;

/// Passes on bytes that were read from foreign memory.
#[cfg(not(omniglot_faults))]
#[inline(always)]
pub const fn bytes(_read: &mut [u8]) {}

/// Passes on a number that foreign code gave.
#[cfg(not(omniglot_faults))]
#[inline(always)]
pub const fn number<T: Copy>(read: T) -> T {
    read
}

#[cfg(omniglot_faults)]
mod planned {
    extern crate std;

    use core::panic::Location;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use zerocopy::{FromBytes, Immutable, IntoBytes};

    /// Which of a thread's loads are changed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Plan {
        /// The one with this number, from 0.
        One(u64),
        /// At this place, the one with this number, from 0.
        At(SourceLine, u64),
        /// One in so many, at random.
        Many(u64),
    }

    /// What happened at one place.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Counts {
        /// How many loads there were while a plan was in force.
        pub loads: u64,
        /// How many of them were changed.
        pub changed: u64,
    }

    /// A file of this project, and a line of it.
    pub type SourceLine = (&'static str, u32);

    static PLACES: Mutex<BTreeMap<SourceLine, Counts>> = Mutex::new(BTreeMap::new());

    struct Progress {
        plan: Plan,
        random: Random,
        loads: u64,
        /// The loads so far at the place that the plan names.
        there: u64,
    }

    std::thread_local! {
        static PROGRESS: RefCell<Option<Progress>> = const { RefCell::new(None) };
    }

    /// Runs something with a plan for this thread's loads; also returns how many there were.
    ///
    /// Whatever was read is changed to something that depends on `seed`.
    pub fn with<T>(plan: Plan, seed: u64, run: impl FnOnce() -> T) -> (T, u64) {
        let progress = Progress { plan, random: Random(seed), loads: 0, there: 0 };
        PROGRESS.set(Some(progress));
        let value = run();
        let ended = PROGRESS.take();
        (value, ended.map_or(0, |progress| progress.loads))
    }

    /// All places where something was loaded so far, by all threads that had a plan.
    #[must_use]
    pub fn places() -> BTreeMap<SourceLine, Counts> {
        PLACES.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes on bytes that were read from foreign memory, changed if the plan says so.
    #[track_caller]
    pub fn bytes(read: &mut [u8]) {
        let place = Location::caller();
        PROGRESS.with_borrow_mut(|progress| {
            if let Some(progress) = progress.as_mut().filter(|_| !read.is_empty()) {
                progress.load(place, read);
            }
        });
    }

    /// Passes on a number that foreign code gave, changed if the plan says so.
    #[track_caller]
    pub fn number<T: FromBytes + IntoBytes + Immutable>(mut read: T) -> T {
        bytes(read.as_mut_bytes());
        read
    }

    impl Progress {
        fn load(&mut self, place: &'static Location<'static>, read: &mut [u8]) {
            let is_meant = match self.plan {
                Plan::One(number) => self.loads == number,
                Plan::At(there, number) => {
                    let is_there = there == (place.file(), place.line());
                    self.there += u64::from(is_there);
                    is_there && self.there == number + 1
                }
                Plan::Many(one_in) => self.random.below(one_in) == 0,
            };
            self.loads += 1;
            if is_meant {
                change(read, &mut self.random);
            }
            let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = places.entry((place.file(), place.line())).or_default();
            counts.loads += 1;
            counts.changed += u64::from(is_meant);
        }
    }

    /// Changes bytes that are not empty, to others.
    fn change(read: &mut [u8], random: &mut Random) {
        let before = read.to_vec();
        let at = random.index(read.len());
        let (head, tail) = read.split_at_mut(at);
        match random.below(8) {
            0 => tail.fill(0),
            1 => head.fill(0),
            2 => read.fill(0),
            3 => read.fill(0xff),
            4 => read.iter_mut().for_each(|byte| *byte = random.next() as u8),
            5 => put_word(read, random),
            6 => add_to_word(read, random),
            _ => tail.iter_mut().take(1).for_each(|byte| *byte = random.next() as u8),
        }
        if *read == *before {
            let bit = 1 << random.below(8);
            read.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
        }
    }

    /// Numbers at the ends of valid ranges.
    const NUMBERS: [u64; 14] = [
        1,
        2,
        3,
        7,
        0x7f,
        0xd800,
        0x11_0000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 47,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 7,
    ];

    fn put_word(read: &mut [u8], random: &mut Random) {
        let number = NUMBERS.get(random.index(NUMBERS.len())).copied().unwrap_or_default();
        let word = word(read, random);
        let len = word.len();
        word.copy_from_slice(number.to_le_bytes().get(..len).unwrap_or_default());
    }

    fn add_to_word(read: &mut [u8], random: &mut Random) {
        let distance = random.below(65).wrapping_sub(32);
        let word = word(read, random);
        let mut number = [0; 8];
        number.iter_mut().zip(&*word).for_each(|(into, from)| *into = *from);
        let number = u64::from_le_bytes(number).wrapping_add(distance).to_le_bytes();
        word.iter_mut().zip(number).for_each(|(into, from)| *into = from);
    }

    /// Some aligned eight or four bytes, or as many as there are.
    fn word<'a>(read: &'a mut [u8], random: &mut Random) -> &'a mut [u8] {
        let size = if random.below(2) == 0 { 8 } else { 4 };
        let at = random.index(read.len().div_ceil(size)) * size;
        let end = read.len().min(at + size);
        read.get_mut(at..end).unwrap_or_default()
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.next().checked_rem(limit).unwrap_or(0)
        }

        fn index(&mut self, len: usize) -> usize {
            self.below(len as u64) as usize
        }
    }
}
