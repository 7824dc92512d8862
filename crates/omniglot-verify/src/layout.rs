//! The interface between a host and the images in its regions: the gates, and the addresses that an
//! image may use.
//!
//! The proof needs none of this. It is defined here so that the rewriter and the host use the same
//! numbers. All addresses are in bytes from the region's base.

use core::ops::Range;

use crate::region::{GUARD, LINE, PAGE};

/// The host's gates: one page, in which each gate begins a line.
pub const GATES: Range<u64> = GUARD..GUARD + PAGE;

/// Calls the host, with the C signature `void (uint32_t slot, void *arguments)`.
pub const GATE_CALL: u64 = GATES.start + LINE;

/// Requests what a system call would do. The number is in RAX, the arguments are in RDI, RSI, RDX,
/// R10, R8 and R9, as for the instruction `syscall`. RAX returns the result, or a negated error
/// number. All other registers keep their values, apart from RCX and R11.
pub const GATE_SYSTEM_CALL: u64 = GATES.start + 2 * LINE;

/// Ends the call, as `abort` does.
pub const GATE_ABORT: u64 = GATES.start + 3 * LINE;

/// Calls the function in RAX, which returns to [`GATE_RETURN`]. This is the entry.
pub const GATE_ENTER: u64 = GATES.start + 4 * LINE;

/// The return address of the function that the host calls.
pub const GATE_RETURN: u64 = GATES.start + 5 * LINE;

/// The lowest address of an image, which may use everything from here to [`IMAGE_MAX`].
pub const IMAGE_MIN: u64 = GATES.end;

/// The highest end of an image. `%gs:disp32` reaches no further than 2 GiB, and stack and heap lie
/// behind the image.
pub const IMAGE_MAX: u64 = 1 << 30;

const _: () = assert!(IMAGE_MAX <= 1 << 31, "constant addresses reach all of an image");

/// The symbol of the 8-byte word that the host sets to the start of the heap memory that the image
/// may use. The start is 16-aligned.
pub const HEAP_START: &str = "omniglot_sfi_heap_start";

/// The symbol of the word that the host sets to the end of that memory. All of it is mapped from
/// the beginning, and zero.
pub const HEAP_END: &str = "omniglot_sfi_heap_end";

/// The symbol of the image's header, which contains the addresses of shims and callbacks.
pub const IMAGE: &str = "omniglot_image";

/// The symbol of the 8-byte word that the host sets to the address of the control area, which its
/// system-call server shares with the host. An image without it has no server.
pub const CONTROL: &str = "omniglot_sfi_control";

/// The symbol of two 8-byte words that say what `cpuid` and `xgetbv` report in the image: of leaf 1
/// ECX, of leaf 7 EBX, and the low half of XCR0, each of 32 bits, and 32 bits of 0. The image has
/// there what its code can make use of, and the host clears what the processor does not have.
pub const PROCESSOR: &str = "omniglot_sfi_processor";
