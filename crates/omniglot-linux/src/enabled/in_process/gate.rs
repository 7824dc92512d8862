//! The call gate: what its code (`gate.S`) is assembled with, and the ways into foreign code.
#![allow(unsafe_code)]

use std::mem::offset_of;

use super::context::{
    ABANDONED, BELIEVES, CALLED_BACK, CONTEXTS, EXITS, GateContext, KEEPS_VECTORS, REGION_TABLE,
    REGIONS, RETURNED, Registers, STOPPED, USES_AVX, USES_X87,
};
use super::handler::on_signal;
use super::shared_page::{self, COOKIE, KEYED, SIGNAL_RIGHTS};
use super::threads::{ARENA_SIZE, ARENA_START, RECORD, SLOT, Thread};
use super::{features, identity};
use crate::enabled::generation;
use crate::enabled::layout::{NEXT, SCRATCH};

std::arch::global_asm!(
    include_str!("gate.S"),
    HOST_STACK = const offset_of!(GateContext, host_stack),
    HOST_THREAD = const offset_of!(GateContext, host_thread),
    FOREIGN_THREAD = const offset_of!(GateContext, foreign_thread),
    SELECTOR = const offset_of!(GateContext, selector),
    NUMBER = const offset_of!(GateContext, number),
    STOP = const offset_of!(GateContext, stop),
    NEXT = const offset_of!(GateContext, next),
    LEFT = const offset_of!(GateContext, left),
    TARGET = const offset_of!(Registers, target),
    STACK = const offset_of!(Registers, stack),
    RBP = const offset_of!(Registers, rbp),
    RBX = const offset_of!(Registers, rbx),
    R12 = const offset_of!(Registers, r12),
    R13 = const offset_of!(Registers, r13),
    R14 = const offset_of!(Registers, r14),
    R15 = const offset_of!(Registers, r15),
    ENTRY = const offset_of!(Registers, entry),
    ARGUMENT = const offset_of!(Registers, argument),
    MXCSR = const offset_of!(Registers, mxcsr),
    X87 = const offset_of!(Registers, x87),
    RETURNED = const RETURNED,
    CALLED_BACK = const CALLED_BACK,
    ABANDONED = const ABANDONED,
    STOPPED = const STOPPED,
    BAD_FLAGS = const 0x44400, // AC, NT, DF: Intel SDM volume 1, section 3.4.3
    EXITS = const EXITS,
    CONTEXTS = sym CONTEXTS,
    ARENA_START = sym ARENA_START,
    ARENA_SIZE = const ARENA_SIZE,
    SLOT = const SLOT,
    RECORD = const RECORD,
    THREAD_SELECTOR = const offset_of!(Thread, selector),
    THREAD_POINTER = const offset_of!(Thread, pointer),
    THREAD_BYTE = const offset_of!(Thread, byte),
    THREAD_GENERATION = const offset_of!(Thread, generation),
    GENERATION = sym generation::WORD,
    ON_SIGNAL = sym on_signal,
    SIGNAL_RIGHTS = sym SIGNAL_RIGHTS,
    COOKIE = sym COOKIE,
    KEYED = sym KEYED,
    SHARED_SIZE = const shared_page::SHARED_SIZE,
    SHARED_RIGHTS = const shared_page::SHARED_RIGHTS,
    SHARED_WINDOWS = const shared_page::SHARED_WINDOWS,
    SHARED_HOST = const shared_page::SHARED_HOST,
    SHARED_RUNNERS = const shared_page::SHARED_RUNNERS,
    IDENTITY = const identity::SELECTOR,
    HOST_SEGMENT = const offset_of!(GateContext, host_segment),
    FEATURES = const offset_of!(GateContext, features),
    BELIEVES = const BELIEVES,
    AVX = const features::AVX,
    AVX512 = const features::AVX512,
    AMX = const features::AMX,
    KEEPS_OPERAND = const features::KEEPS_OPERAND,
    TILES = const features::TILES,
    KEY = const offset_of!(GateContext, key),
    FOREIGN_RIGHTS = const offset_of!(GateContext, foreign_rights),
    REGION = const offset_of!(GateContext, region),
    REGIONS = const REGIONS,
    REGION_TABLE = sym REGION_TABLE,
    USES_X87 = const USES_X87,
    USES_AVX = const USES_AVX,
    KEEPS_VECTORS = const KEEPS_VECTORS,
    VECTORS = const offset_of!(GateContext, vectors),
    BASE = const omniglot_verify::BASE,
    IS_BARRED = const offset_of!(GateContext, is_barred),
    AREA_NEXT = const NEXT,
    AREA_SCRATCH = const SCRATCH,
);

unsafe extern "C" {
    fn omniglot_enter(context: *const GateContext) -> u32;
    fn omniglot_keyed_enter(context: *const GateContext) -> u32;
    fn omniglot_sfi_enter(context: *const GateContext) -> u32;
    /// That part of the gate alone.
    #[cfg(test)]
    pub(super) fn omniglot_clear_registers(features: u32);
}

/// How foreign code is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a call: a function begins.
    Call,
    /// By a jump: a function continues after a callback, which left by a jump. The processor's
    /// return stack buffer then still has the places to which foreign code will return.
    Jump,
}

/// Enters by one of the gate's functions.
///
/// The jump leaves the stack as a call does: aligned, with the address to continue at on top
/// (System V ABI, section 3.2.2). The gate changes the registers that a callee may.
macro_rules! go {
    ($way:expr, $function:ident, $context:expr) => {
        match $way {
            Way::Call => $function($context),
            Way::Jump => {
                let event: u32;
                std::arch::asm!(
                    "lea rax, [rip + 2f]",
                    "push rax",
                    "jmp {function}",
                    "2:",
                    function = sym $function,
                    in("rdi") std::ptr::from_ref::<GateContext>($context),
                    lateout("eax") event,
                    clobber_abi("C"),
                );
                event
            }
        }
    };
}

/// Runs foreign code with `context.next` until it returns, calls back or is abandoned.
///
/// # Safety
/// - The calling thread is registered, and its selector byte and FS base are in the context, as are
///   the domain's number and memory (invariant 8).
/// - Only this thread runs the domain.
#[inline]
pub(super) unsafe fn enter(context: &GateContext, way: Way) -> u32 {
    // SAFETY: the caller keeps the context whole (invariant 8). The gate keeps all that the System
    // V ABI has a callee keep (invariant 17); foreign code runs on a stack of its own.
    unsafe { go!(way, omniglot_enter, context) }
}

/// As [`enter`], for a domain behind a protection key.
///
/// # Safety
/// As [`enter`]; and the thread's selector is in the shared page, its PKRU and the domain's
/// are in the context, the registers in the domain's memory; the shared page says that this
/// thread runs the domain, and no other thread with the same number is in foreign code.
pub(super) unsafe fn enter_keyed(context: &GateContext, way: Way) -> u32 {
    // SAFETY: as in `enter` (invariants 8, 17); the rights are the domain's, as the caller promises
    // (invariant 10).
    unsafe { go!(way, omniglot_keyed_enter, context) }
}

/// As [`enter`], for a domain of verified code.
///
/// # Safety
/// As [`enter`], but that the thread needs no selector; and the context says where the region is,
/// which is mapped as invariant 18 says, and what its code uses; `next` has a target in the region
/// or its page of gates, at which verified code may be entered, and a stack pointer in the region.
#[inline]
pub(super) unsafe fn enter_sfi(context: &GateContext, way: Way) -> u32 {
    // SAFETY: as in `enter` (invariants 8, 17); the code stays in its region (invariant 18).
    unsafe { go!(way, omniglot_sfi_enter, context) }
}
