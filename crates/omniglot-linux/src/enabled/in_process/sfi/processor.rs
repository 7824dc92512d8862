//! What `cpuid` reports in a region: the processor's extensions that the image can make use of.

use omniglot_core::{Result, Window};

/// Clears in the image's words what this processor, or the kernel, does not have.
pub(super) fn tell(window: &mut Window, place: usize) -> Result<()> {
    let mut bytes = [0; 16];
    window.read(place, &mut bytes)?;
    let told = u128::from_le_bytes(bytes) & here();
    window.write(place, &told.to_le_bytes())
}

/// The words that say all of it: see
/// [`layout::PROCESSOR`](omniglot_verify::layout::PROCESSOR).
fn here() -> u128 {
    /// Where the second word begins, and the third.
    const LEAF_7: u32 = 32;
    const STATE: u32 = 64;
    let mut found = 0b11 << STATE;
    let mut note = |is_there: bool, bit: u32| found |= u128::from(is_there) << bit;
    // Intel SDM, volume 2, CPUID.
    note(is_x86_feature_detected!("sse3"), 0);
    note(is_x86_feature_detected!("pclmulqdq"), 1);
    note(is_x86_feature_detected!("ssse3"), 9);
    note(is_x86_feature_detected!("fma"), 12);
    note(is_x86_feature_detected!("sse4.1"), 19);
    note(is_x86_feature_detected!("sse4.2"), 20);
    note(is_x86_feature_detected!("movbe"), 22);
    note(is_x86_feature_detected!("popcnt"), 23);
    note(is_x86_feature_detected!("aes"), 25);
    note(is_x86_feature_detected!("avx"), 26); // XSAVE
    note(is_x86_feature_detected!("avx"), 27); // OSXSAVE
    note(is_x86_feature_detected!("avx"), 28);
    note(is_x86_feature_detected!("f16c"), 29);
    note(is_x86_feature_detected!("bmi1"), LEAF_7 + 3);
    note(is_x86_feature_detected!("avx2"), LEAF_7 + 5);
    note(is_x86_feature_detected!("bmi2"), LEAF_7 + 8);
    note(is_x86_feature_detected!("avx"), STATE + 2);
    found
}
