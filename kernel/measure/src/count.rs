//! Counting retired instructions.

use riscv::register::minstret;

use crate::WORKLOADS;

/// One count for each workload.
pub(crate) type Counts = [u64; WORKLOADS.len()];

/// Length in bytes of the message that is hashed.
pub(crate) const SHORT: usize = 64;
/// Length in bytes of the message in the longer workloads.
pub(crate) const LONG: usize = 16 << 10;

/// Counts the instructions of the second run of `work`, after the first has warmed everything up. A
/// timer interrupt during the run is counted too, so the least of a few runs is the result. The
/// cost of reading the counter is subtracted.
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

/// A message to hash. Its alignment is fixed, since that decides half of the cost of copying it.
#[repr(align(16))]
pub(crate) struct Message<const N: usize>(pub(crate) [u8; N]);

/// Returns a message.
pub(crate) fn message<const N: usize>() -> Message<N> {
    let mut message = Message([0; N]);
    for (byte, position) in message.0.iter_mut().zip(0_u32..) {
        *byte = position as u8;
    }
    message
}

/// A valid ECDSA signature over P-256, so that verification takes all steps.
pub(crate) struct Signed {
    pub(crate) public: [u8; 64],
    pub(crate) digest: [u8; 32],
    pub(crate) signature: [u8; 64],
}
