//! Handling signals: passing on the host's, and ending foreign calls.
//!
//! Everything here runs in signal handlers: no allocation, no locks, no panics.
#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::atomic::Ordering;

use super::context::GateContext;
use super::frame::{KernelContext, SignalFrame};
use super::gadgets::{changes, code};
use super::kick::KICK;
use super::masks::FAULTS;
use super::places;
use super::signals;
use super::syscalls::{self, Answer, Answered};
use super::threads::Thread;
use crate::enabled::layout::SCRATCH;

/// Kinds of an `Outcome`.
pub(super) const FAULT: u32 = 1;
pub(super) const DENIED: u32 = 2;
pub(super) const EXITED: u32 = 3;
pub(super) const STOP: u32 = 4;
pub(super) const FORKED: u32 = 5;
pub(super) const CHANGED: u32 = 6;

/// `SYS_USER_DISPATCH` of asm-generic/siginfo.h.
const USER_DISPATCH: i32 = 2;

/// `AUDIT_ARCH_X86_64` of linux/audit.h: a call with the numbers of 64-bit programs.
const NATIVE: u32 = 0xc000_003e;

/// Set in the number of a system call that another ABI made: none of ours has it.
const OTHER_ABI: u64 = 1 << 32;

/// How long the instruction `syscall` is.
const SYSTEM_CALL_LENGTH: u64 = 2;

/// What the gate's signal code should do with the FS base.
const AS_IT_WAS: u32 = 1;
const KEEP_THE_HOSTS: u32 = 0;

/// Code and stack segments of 64-bit programs, as the context holds them: `__USER_CS`,
/// `__USER_DS` of the kernel's asm/segment.h.
const SEGMENTS: u64 = 0x33 | 0x2b << 48;
const CODE_AND_STACK: u64 = 0xffff | 0xffff << 48;
/// Interrupts on, all else clear.
const PLAIN_FLAGS: i64 = 0x202;
/// The space below the stack pointer that the ABI lets a signal handler or a leaf function use.
const RED_ZONE: u64 = 256;

/// An interrupted thread, in foreign code.
struct Interrupted<'a> {
    frame: SignalFrame<'a>,
    thread: &'a Thread,
    context: &'a GateContext,
}

/// Called by the gate's signal code, with the host's FS base and system calls allowed.
///
/// `blocked` says whether system calls were dispatched; `thread` is null on a thread that never
/// entered foreign code.
///
/// # Safety
/// The first three arguments are as [`SignalFrame::new`] wants them, and `thread` is null or the
/// record of the calling thread (invariant 9).
pub(super) unsafe extern "C" fn on_signal(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut KernelContext,
    thread: *const Thread,
    blocked: u32,
) -> u32 {
    // SAFETY: the caller's promise (invariant 11).
    let frame = unsafe { SignalFrame::new((signal, info, context)) };
    // SAFETY: null, or the record of this thread (invariant 9).
    let thread = unsafe { thread.as_ref() };
    let base =
        thread.and_then(Thread::running).filter(|context| context.is_sfi()).map(|_| base_of_gs());
    let what = handle(frame, thread, blocked);
    if let Some(before) = base
        && base_of_gs() != before
    {
        set_base_of_gs(before);
    }
    what
}

/// Handles a signal, of the host's or of foreign code.
fn handle(mut frame: SignalFrame<'_>, thread: Option<&Thread>, blocked: u32) -> u32 {
    let place = frame.place();
    let running = thread.and_then(|thread| Some((thread, thread.running()?)));
    let inside = running
        .filter(|(_, context)| blocked != 0 || is_in_gate(place) || is_near_region(context, place));
    if let Some((thread, context)) = inside {
        return Interrupted { frame, thread, context }.handle();
    }
    if frame.signal == libc::SIGILL && code::is_emulated(place) {
        return emulate(&mut frame);
    }
    let below = frame.register(libc::REG_RSP).wrapping_sub(RED_ZONE) & !15;
    let below = frame.switched_stacks().then_some(below as usize);
    let held = thread.and_then(hold_back);
    Thread::in_handler(thread, || signals::pass_on(&mut frame, below));
    if let Some(thread) = thread {
        thread.stand_in();
    }
    if let Some(context) = held {
        let_in(context);
    }
    AS_IT_WAS
}

/// The base of `%gs:`, by which verified code finds its region: the kernel gives handlers the one
/// of the thread that they interrupted, and leaves what they make of it.
fn base_of_gs() -> u64 {
    let base;
    // SAFETY: reads a base; the processor and kernel allow it, since there is verified code
    // (invariant 17).
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

fn set_base_of_gs(base: u64) {
    // SAFETY: what the interrupted thread had; Rust code does not use it (invariants 17, 18).
    unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}

/// Keeps a thread that is on its way in, behind a key, from foreign code while a handler of the
/// host runs: who changes code need not wait for it. `None` if an earlier handler does that, which
/// this one interrupted.
fn hold_back(thread: &Thread) -> Option<&GateContext> {
    let context = thread.running().filter(|context| context.is_keyed())?;
    if changes::rest(context.key.load(Ordering::Relaxed)) {
        return None;
    }
    context.is_barred.store(1, Ordering::Relaxed);
    Some(context)
}

/// Lets it in, unless something of what the process can execute has yet to be looked at: a
/// handler's own change waits for nobody.
fn let_in(context: &GateContext) {
    if changes::may_go_on(context.key.load(Ordering::Relaxed)) {
        context.is_barred.store(0, Ordering::Relaxed);
    }
}

/// Whether a thread there must go through the gate again, whatever its selector says.
fn is_in_gate(place: usize) -> bool {
    let both = [false, true];
    places::checked().contains(&place)
        || both.into_iter().any(|is_keyed| {
            places::commit(is_keyed).contains(&place) || places::resume(is_keyed).contains(&place)
        })
}

/// Whether an instruction is in the domain's region, or of the gate while the stack is still
/// there, or about to be.
fn is_near_region(context: &GateContext, place: usize) -> bool {
    let region = context.region.load(Ordering::Relaxed);
    let is_inside = (place as u64 ^ region) >> 32 == 0;
    region != 0
        && (is_inside
            || places::sfi_commit().contains(&place)
            || places::sfi_exit().contains(&place))
}

/// `WRPKRU` of the C library's `pkey_set`, which was replaced so that foreign code cannot use it.
/// Only the host can have reached this place.
fn emulate(frame: &mut SignalFrame<'_>) -> u32 {
    let rights = frame.register(libc::REG_RAX) as u32;
    frame.set_rights(rights);
    let next = frame.register(libc::REG_RIP) + code::EMULATED_LENGTH;
    frame.set_register(libc::REG_RIP, next);
    AS_IT_WAS
}

impl Interrupted<'_> {
    fn handle(self) -> u32 {
        if self.context.is_keyed() {
            changes::rest(self.context.key.load(Ordering::Relaxed));
        }
        let sent = self.frame.is_sent();
        match self.frame.signal {
            KICK if sent => self.look(),
            libc::SIGSYS if self.frame.code() == USER_DISPATCH => self.system_call(),
            signal if FAULTS.contains(&signal) && !sent => self.fault(signal),
            _ => self.of_the_host(),
        }
    }

    fn register(&self, which: i32) -> u64 {
        self.frame.register(which)
    }

    /// An interruption: the call stops if it is the one that was meant.
    fn look(self) -> u32 {
        if self.must_stop() { self.abandon(STOP) } else { self.of_the_host() }
    }

    /// A signal for the host, which foreign code does not notice.
    fn of_the_host(mut self) -> u32 {
        let stack = self.context.host_stack.load(Ordering::Relaxed).wrapping_sub(RED_ZONE) & !15;
        let frame = &mut self.frame;
        Thread::in_handler(Some(self.thread), || signals::pass_on(frame, Some(stack as usize)));
        if self.thread.is_copied() {
            // The handler forked, and this is the child, which has none of the domain's memory.
            self.thread.stand_in();
            return self.abandon(FORKED);
        }
        if self.must_stop() { self.abandon(STOP) } else { self.go_on() }
    }

    /// Waits until all code has been scanned, if some is changing.
    fn may_go_on(&self) -> bool {
        let key = self.context.key.load(Ordering::Relaxed);
        changes::go_on(key, code::is_being_looked_at, || self.must_stop())
    }

    fn must_stop(&self) -> bool {
        self.context.must_stop()
    }

    fn system_call(mut self) -> u32 {
        let number = self.register(libc::REG_RAX);
        if self.frame.architecture() != NATIVE {
            return self.end(DENIED, number | OTHER_ABI); // behind `int 0x80`
        }
        let arguments = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10]
            .map(|register| self.register(register));
        let answer = match syscalls::answer_or_send(&self.context.domain, number, arguments) {
            Answered::ByHost(answer) => answer,
            Answered::ByServer => return self.serve(),
            Answered::DeniedAt { number, instruction, stack } => {
                self.frame.set_register(libc::REG_RIP, instruction);
                self.frame.set_register(libc::REG_RSP, stack);
                return self.end(DENIED, number);
            }
        };
        match answer {
            Answer::Value(value) => {
                self.frame.set_register(libc::REG_RAX, value.cast_unsigned());
                self.go_on()
            }
            Answer::Again => self.repeat(),
            Answer::Abort => self.fault(libc::SIGABRT),
            Answer::Exit => self.end(EXITED, arguments[0] & 0xff),
        }
    }

    /// Sends the thread to the server in the domain, with the domain's rights, as the processor sends
    /// one to the kernel: what is lost are RCX and R11, which callers expect. The server returns to
    /// the caller by itself, so its stack is not touched, and nothing has to be restored here.
    fn serve(mut self) -> u32 {
        let domain = &self.context.domain;
        domain.tell(self.context.number.load(Ordering::Relaxed));
        let server = domain.serve.load(Ordering::Relaxed);
        let stack = domain.serve_stack.load(Ordering::Relaxed);
        let (next, callers) = (self.register(libc::REG_RIP), self.register(libc::REG_RSP));
        self.frame.set_register(libc::REG_RCX, next);
        self.frame.set_register(libc::REG_R11, callers);
        self.frame.set_register(libc::REG_RIP, server);
        self.frame.set_register(libc::REG_RSP, stack);
        self.go_on()
    }

    /// Makes foreign code repeat its call. Signals that arrived meanwhile are handled first, as for
    /// a system call that one interrupts.
    fn repeat(mut self) -> u32 {
        let next = self.register(libc::REG_RIP);
        let (register, value) = if self.context.domain.has_before(next, SYSTEM_CALL_LENGTH) {
            (libc::REG_RIP, next - SYSTEM_CALL_LENGTH)
        } else {
            // Made by an instruction of the host's: callers of the kernel handle this answer, too.
            (libc::REG_RAX, (-i64::from(libc::EINTR)).cast_unsigned())
        };
        self.frame.set_register(register, value);
        self.go_on()
    }

    fn end(self, kind: u32, number: u64) -> u32 {
        self.context.outcome.number.store(number, Ordering::Relaxed);
        self.abandon(kind)
    }

    fn fault(self, signal: i32) -> u32 {
        if self.thread.is_copied() {
            // A handler forked while the thread was near the gate, and there is nothing to enter.
            return self.abandon(FORKED);
        }
        let outcome = &self.context.outcome;
        outcome.signal.store(signal.unsigned_abs(), Ordering::Relaxed);
        outcome.address.store(self.frame.address() as u64, Ordering::Relaxed);
        self.abandon(FAULT)
    }

    /// Sends the thread to where the gate returns to the host.
    fn abandon(mut self, kind: u32) -> u32 {
        let outcome = &self.context.outcome;
        outcome.kind.store(kind, Ordering::Relaxed);
        outcome.instruction.store(self.register(libc::REG_RIP), Ordering::Relaxed);
        outcome.stack.store(self.register(libc::REG_RSP), Ordering::Relaxed);
        let stack = self.context.host_stack.load(Ordering::Relaxed);
        self.set_crossing(libc::REG_R11);
        let place = if self.context.is_sfi() {
            places::sfi_abandoned()
        } else {
            places::abandoned(self.context.is_keyed())
        };
        self.return_to(place, stack);
        KEEP_THE_HOSTS
    }

    fn set_crossing(&mut self, which: i32) {
        self.frame.set_register(which, std::ptr::from_ref(self.context).addr() as u64);
    }

    /// Lets foreign code go on, through the gate.
    fn go_on(mut self) -> u32 {
        if self.context.is_sfi() {
            return self.go_on_in_region();
        }
        let is_keyed = self.context.is_keyed();
        if is_keyed && !self.may_go_on() {
            let kind = if self.must_stop() { STOP } else { CHANGED };
            return self.abandon(kind);
        }
        let place = self.frame.place();
        if places::commit(is_keyed).contains(&place) {
            return self.start_again(is_keyed);
        }
        if is_keyed && places::checked().contains(&place) && self.has_hosts_rights() {
            return AS_IT_WAS;
        }
        if is_keyed && places::unchecked().contains(&place) {
            // Perhaps with the host's rights, but the checks have yet to show that it may have
            // them.
            self.frame.set_register(libc::REG_RIP, places::unchecked().start as u64);
        }
        if !self.is_on_its_way_back(place) {
            if self.register(libc::REG_CSGSFS) & CODE_AND_STACK != SEGMENTS {
                return self.fault(libc::SIGILL); // 32-bit code, which the gate cannot go on with
            }
            self.save();
        }
        self.resume(is_keyed)
    }

    /// The same for verified code, which the system call that ends a handler can return to: none of
    /// its own is dispatched. On the way in the gate looks again whether it must stop.
    fn go_on_in_region(mut self) -> u32 {
        let commit = places::sfi_commit();
        if commit.contains(&self.frame.place()) {
            self.set_crossing(libc::REG_RBX);
            let stack = self.context.host_stack.load(Ordering::Relaxed);
            self.return_to(commit.start, stack);
        }
        AS_IT_WAS
    }

    /// Whether the thread was on its way back from an earlier signal, and its registers are
    /// written down already. Foreign code can have jumped there, too: it then gets back what it
    /// had at an earlier signal of this stretch, and never of another.
    fn is_on_its_way_back(&self, place: usize) -> bool {
        places::resume(self.context.is_keyed()).contains(&place)
            && self.context.is_saved.load(Ordering::Relaxed)
    }

    /// Restarts the entry of the gate.
    fn start_again(mut self, is_keyed: bool) -> u32 {
        if is_keyed && !self.context.write_next() {
            return self.end(FAULT, 0);
        }
        self.set_crossing(libc::REG_RBX);
        let stack = self.context.host_stack.load(Ordering::Relaxed);
        self.return_to(places::commit(is_keyed).start, stack);
        AS_IT_WAS
    }

    fn resume(mut self, is_keyed: bool) -> u32 {
        if !self.context.write_saved() {
            return self.end(FAULT, 0);
        }
        let selector = self.context.selector.load(Ordering::Relaxed).addr();
        let scratch = (self.context.domain.base.load(Ordering::Relaxed) + SCRATCH) as u64;
        self.frame.set_register(libc::REG_RDI, selector as u64);
        self.frame.set_register(libc::REG_RSI, scratch);
        let rights = u64::from(self.context.foreign_rights.load(Ordering::Relaxed));
        self.frame.set_register(libc::REG_RAX, rights);
        let key = u64::from(self.context.key.load(Ordering::Relaxed));
        self.frame.set_register(libc::REG_R10, key);
        let stack = self.context.host_stack.load(Ordering::Relaxed);
        self.return_to(places::resume(is_keyed).start, stack);
        AS_IT_WAS
    }

    /// Whether the gate runs, rather than foreign code that jumped into it.
    fn has_hosts_rights(&self) -> bool {
        let hosts = self.context.host_rights.load(Ordering::Relaxed);
        self.frame.rights() == Some(hosts)
    }

    /// Saves all general registers.
    fn save(&self) {
        const ORDER: [i32; 15] = [
            libc::REG_RAX,
            libc::REG_RBX,
            libc::REG_RCX,
            libc::REG_RDX,
            libc::REG_RSI,
            libc::REG_RDI,
            libc::REG_RBP,
            libc::REG_R8,
            libc::REG_R9,
            libc::REG_R10,
            libc::REG_R11,
            libc::REG_R12,
            libc::REG_R13,
            libc::REG_R14,
            libc::REG_R15,
        ];
        let segments = self.register(libc::REG_CSGSFS);
        let frame = [
            self.register(libc::REG_RIP),
            segments & 0xffff,
            self.register(libc::REG_EFL),
            self.register(libc::REG_RSP),
            segments >> 48,
            // Once more, for the gate, which uses it once.
            self.register(libc::REG_RIP),
        ];
        let registers = ORDER.into_iter().map(|which| self.register(which)).chain(frame);
        for (saved, value) in self.context.saved.iter().zip(registers) {
            saved.store(value, Ordering::Relaxed);
        }
        self.context.is_saved.store(true, Ordering::Relaxed);
    }

    /// Makes the thread continue in the gate, with the host's rights.
    fn return_to(&mut self, instruction: usize, stack: u64) {
        let segments = self.register(libc::REG_CSGSFS) & !CODE_AND_STACK | SEGMENTS;
        self.frame.set_register(libc::REG_CSGSFS, segments);
        self.frame.set_register(libc::REG_EFL, PLAIN_FLAGS.cast_unsigned());
        self.frame.set_register(libc::REG_RIP, instruction as u64);
        self.frame.set_register(libc::REG_RSP, stack);
        if self.context.is_keyed() {
            let rights = self.context.host_rights.load(Ordering::Relaxed);
            self.frame.set_rights(rights);
        }
    }
}
