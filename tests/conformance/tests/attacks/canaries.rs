//! Canaries: host memory that an attack must not change.

use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};

use libtest_mimic::Failed;

const SIZE: usize = 4096;
pub(crate) const PATTERN: u8 = 0xc3;

/// Writable data of the host.
static DATA: [AtomicU8; SIZE] = [const { AtomicU8::new(PATTERN) }; SIZE];

/// Bytes on the host's heap, on its stack and in its data, all with one pattern.
pub(crate) struct Canaries<'a> {
    heap: Vec<u8>,
    stack: &'a mut [u8; SIZE],
}

/// Addresses in the host that attacks target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    pub(crate) heap: usize,
    pub(crate) stack: usize,
    pub(crate) data: usize,
    pub(crate) code: usize,
    /// The host's process id.
    pub(crate) process: i32,
}

impl Targets {
    /// Returns every target in memory, with its name.
    pub(crate) fn named(&self) -> [(&'static str, usize); 4] {
        [("heap", self.heap), ("stack", self.stack), ("data", self.data), ("code", self.code)]
    }
}

/// Runs `attack` with canaries in place, and checks them afterwards.
pub(crate) fn with_canaries<T>(attack: impl FnOnce(&Canaries<'_>) -> T) -> Result<T, Failed> {
    let mut stack = [PATTERN; SIZE];
    let canaries = Canaries { heap: vec![PATTERN; SIZE], stack: black_box(&mut stack) };
    let outcome = attack(&canaries);
    canaries.check()?;
    Ok(outcome)
}

impl Canaries<'_> {
    pub(crate) fn targets(&self) -> Targets {
        let code: fn(usize) -> bool = is_aligned;
        Targets {
            heap: self.heap.as_ptr().addr(),
            stack: self.stack.as_ptr().addr(),
            data: DATA.as_ptr().addr(),
            code: code as usize,
            process: std::process::id().cast_signed(),
        }
    }

    /// Checks every byte.
    fn check(&self) -> Result<(), Failed> {
        let intact = |bytes: &[u8]| black_box(bytes).iter().all(|byte| *byte == PATTERN);
        let data = black_box(&DATA).iter().all(|byte| byte.load(Ordering::Relaxed) == PATTERN);
        let all = [("heap", intact(&self.heap)), ("stack", intact(self.stack)), ("data", data)];
        match all.iter().find(|(_, intact)| !intact) {
            Some((place, _)) => Err(format!("the host's {place} was written").into()),
            None => Ok(()),
        }
    }
}

/// A function of the host that only attackers call.
fn is_aligned(address: usize) -> bool {
    address.is_multiple_of(8)
}
