//! Counting retired instructions.

use riscv::register::minstret;

use crate::WORKLOADS;

/// A count for each workload.
pub(crate) type Counts = [u64; WORKLOADS.len()];

/// How many bytes are hashed.
pub(crate) const SHORT: usize = 64;
/// How many bytes are hashed in the longer workloads.
pub(crate) const LONG: usize = 16 << 10;

/// The number of instructions of the second run of `work`: the first finds everything where the
/// others find it. A timer interrupt in the midst is measured along, so the least of a few runs
/// is what counts. What reading the counter takes is left out.
pub(crate) fn count<E>(mut work: impl FnMut() -> Result<(), E>) -> Result<u64, E> {
    work()?;
    let (mut least, mut nothing) = (u64::MAX, u64::MAX);
    for _ in 0..5 {
        let start = minstret::read64();
        let before = minstret::read64();
        work()?;
        least = least.min(minstret::read64().wrapping_sub(before));
        nothing = nothing.min(before.wrapping_sub(start));
    }
    Ok(least.saturating_sub(nothing))
}

/// Bytes to hash, always with the same alignment: it decides half of what copying them costs.
#[repr(align(16))]
pub(crate) struct Message<const N: usize>(pub(crate) [u8; N]);

/// A message.
pub(crate) fn message<const N: usize>() -> Message<N> {
    let mut message = Message([0; N]);
    for (byte, position) in message.0.iter_mut().zip(0_u32..) {
        *byte = position as u8;
    }
    message
}

/// A valid ECDSA signature over P-256, so that checking it takes all steps.
pub(crate) struct Signed {
    pub(crate) public: [u8; 64],
    pub(crate) digest: [u8; 32],
    pub(crate) signature: [u8; 64],
}
