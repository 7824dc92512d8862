//! Where a host and the images that it runs meet in a region: gates, and the first address that is
//! an image's own.
//!
//! The proof needs none of this. It is here so that who makes images and who runs them read the
//! same numbers. All are bytes from the region's base.

use core::ops::Range;

use crate::region::{GUARD, LINE, PAGE};

/// The host's gates: one page, each gate the beginning of a line.
pub const GATES: Range<u64> = GUARD..GUARD + PAGE;

/// Calls the host, as a C function would be called: `void (uint32_t slot, void *arguments)`.
pub const GATE_CALL: u64 = GATES.start + LINE;

/// Asks for what a system call would do, as a C function would be called. The number is in RAX, the
/// arguments in RDI, RSI, RDX, R10, R8 and R9, as for the instruction `syscall`; the result, or an
/// error number, negated, is in RAX. As with that, all other registers stay but RCX and R11.
pub const GATE_SYSTEM_CALL: u64 = GATES.start + 2 * LINE;

/// Ends the call, as `abort` does.
pub const GATE_ABORT: u64 = GATES.start + 3 * LINE;

/// Calls the function in RAX, so that it returns to [`GATE_RETURN`]: the way in.
pub const GATE_ENTER: u64 = GATES.start + 4 * LINE;

/// Where the function that the host called returns to: its return address when it starts.
pub const GATE_RETURN: u64 = GATES.start + 5 * LINE;

/// Where an image begins at the least: it may use all from here to [`IMAGE_MAX`].
pub const IMAGE_MIN: u64 = GATES.end;

/// Where an image ends at the most. `%gs:disp32` reaches no further than 2 GiB, and stack and heap
/// lie behind the image.
pub const IMAGE_MAX: u64 = 1 << 30;

const _: () = assert!(IMAGE_MAX <= 1 << 31, "constant addresses reach all of an image");

/// The symbol of the 8-byte word that the host sets to where memory begins that the image may use
/// for its heap; 16-aligned.
pub const HEAP_START: &str = "omniglot_sfi_heap_start";

/// The symbol of the word that the host sets to where that memory ends. All of it is there from
/// the beginning, and zero.
pub const HEAP_END: &str = "omniglot_sfi_heap_end";

/// The symbol of the image's header, which says where shims and callbacks are.
pub const IMAGE: &str = "omniglot_image";
