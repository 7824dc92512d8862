//! Invalid stack pointers, followed by a fault, a system call, or a signal.

use omniglot::{Error, FaultKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape, limit};
use super::library::{Place, Registers};
use super::state::{alternate_stack, fs_base};
use crate::attacks::attack::{ACCESS, Must};
use crate::attacks::canaries::Targets;

/// A system call that no library may make.
const FORK: u64 = 57;
const UNDEFINED: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

/// A stack pointer, from a domain's memory and the host's addresses.
type Pointer = fn(std::ops::Range<usize>, &Targets) -> usize;

const POINTERS: [(&str, Pointer); 16] = [
    ("null", |_, _| 0),
    ("one", |_, _| 1),
    ("low", |_, _| 0x1008),
    ("misaligned", |window, _| window.start + window.len() / 2 + 3),
    ("not_canonical", |_, _| 0x8000_0000_0000_0000),
    ("kernel", |_, _| 0xffff_8880_0000_1000),
    ("top", |_, _| usize::MAX - 7),
    ("before_the_window", |window, _| window.start - 64),
    ("in_the_middle_of_the_signal_stack", |_, _| {
        let (start, size) = alternate_stack();
        start + size / 2
    }),
    ("at_the_end_of_the_signal_stack", |_, _| {
        let (start, size) = alternate_stack();
        start + size
    }),
    // Too little space is left there for a signal frame.
    ("near_the_bottom_of_the_signal_stack", |_, _| alternate_stack().0 + 512),
    ("below_the_signal_stack", |_, _| alternate_stack().0),
    ("on_the_hosts_stack", |_, targets| targets.stack + 2048),
    ("on_the_hosts_heap", |_, targets| targets.heap + 2048),
    ("in_the_hosts_code", |_, targets| targets.code & !7),
    ("at_the_hosts_variables", |_, _| fs_base() as usize),
];

/// What foreign code does with that stack, and the required outcome.
const DEEDS: [(&str, Place, Must, Option<Must>); 5] = [
    ("undefined", Place::UNDEFINED, UNDEFINED, None),
    // The rewriter has an undefined instruction for each breakpoint.
    ("breakpoint", Place::BREAKPOINT, Must::Fault(&[FaultKind::Trap]), Some(UNDEFINED)),
    ("division", Place::DIVISION, Must::Fault(&[FaultKind::Arithmetic]), None),
    ("system_call", Place::SYSTEM_CALL, Must::Deny("fork"), Some(ASKED)),
    ("timeout", Place::SPIN, Must::TimeOut, None),
];

/// A request is pushed. The stack pointer, cut to 32 bits, may lead to no memory, or above the
/// stack of the call.
const ASKED: Must = Must::Fail(|error| {
    matches!(error, Error::Fault(_) | Error::NonLocalExit | Error::SyscallDenied { .. })
});

pub(crate) fn escapes<R: Runtime>() -> Vec<Escape<R>> {
    let mut all = Vec::new();
    for (pointer_name, pointer) in POINTERS {
        for (deed, place, must, in_region) in DEEDS {
            let name = format!("stacks::{pointer_name}_then_{deed}");
            let standing = escape(name, must, move |api, targets| {
                limit(api);
                stand(api, place, pointer(bounds(api), targets)).map(|_| true)
            });
            all.push(standing.in_region(in_region.unwrap_or(must)));
        }
        // The push writes there, so without protection most of these do harm.
        let push = escape(
            format!("stacks::{pointer_name}_then_push"),
            Must::Fail(|error| matches!(error, Error::Fault(_))),
            move |api, targets| {
                stand(api, Place::PUSH, pointer(bounds(api), targets)).map(|_| true)
            },
        );
        all.push(push.at_the_host());
    }
    all.push(escape("stacks::no_stack_then_push", ACCESS, |api, _| {
        stand(api, Place::PUSH, 0).map(|_| true)
    }));
    all
}

/// Goes to a place in the library with that stack pointer.
fn stand<R: Runtime>(api: &mut Api<R>, place: Place, stack: usize) -> Result<i32> {
    let address = api.place_of(place)?;
    let registers =
        Registers { rsp: stack as u64, rax: FORK, flags: 0x202, ..Registers::default() };
    let registers = api.alloc(registers)?;
    api.leap(address, Ptr::from_addr(registers.as_ref().as_ptr().addr()), 0)
}
