//! The foreign libraries' memory. `memory.x` has the kernel's own part of the memory map, for the
//! linker.
#![allow(unsafe_code)]

use omniglot_pmp::ForeignRegion;

#[path = "map.rs"]
mod map;

use map::Range;

/// The memory of the foreign libraries: one token for each region.
#[derive(Debug)]
pub struct Regions {
    /// For monocypher.
    pub monocypher: ForeignRegion,
    /// For micro-ecc.
    pub micro_ecc: ForeignRegion,
    /// For littlefs.
    pub littlefs: ForeignRegion,
    /// For lwIP.
    pub lwip: ForeignRegion,
    /// For zlib.
    pub zlib: ForeignRegion,
    /// For a library that another program than the kernel uses.
    pub spare: ForeignRegion,
}

impl Regions {
    /// Returns the tokens.
    ///
    /// # Safety
    /// This is called only once (invariant 1).
    pub(crate) const unsafe fn new() -> Self {
        Self {
            monocypher: token(map::MONOCYPHER),
            micro_ecc: token(map::MICRO_ECC),
            littlefs: token(map::LITTLEFS),
            lwip: token(map::LWIP),
            zlib: token(map::ZLIB),
            spare: token(map::SPARE),
        }
    }
}

/// Returns the token for a range of the map. [`Regions::new`] names each range once.
const fn token(range: Range) -> ForeignRegion {
    // SAFETY: the range is RAM that holds nothing else, since the map's ranges do not overlap
    // (asserted there) and the kernel ends below them (invariant 3). No device is told its address
    // (invariant 4). Each token is made once, as `Regions::new` requires of its caller (invariant
    // 1).
    unsafe { ForeignRegion::new(range.start as usize, range.len as usize) }
}
