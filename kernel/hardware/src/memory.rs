//! Where in the board's memory everything is. `memory.x` has the kernel's own part for the
//! linker.

/// Where foreign libraries start; the kernel ends before.
pub const FOREIGN: usize = 0x8200_0000;
