//! The runtime: a domain's state, and where its waiting calls resume.

use core::fmt;
use core::sync::atomic::{Ordering, compiler_fence};

use omniglot_core::{
    Calls, Cause, Description, Error, Event, FaultKind, Guarantees, IsolationKind, MAX_DEPTH,
    Reply, Result, Runtime, Step, Text, Window,
};

use crate::csr::{self, TrapRegisters};
use crate::gate::{self, A0, A1, Context, SP, Start, Trap, request};
use crate::image::FlatImage;
use crate::kernel::{After, Kernel};
use crate::machine::Machine;
use crate::protection::PmpEntries;
use crate::region::ForeignRegion;
use crate::trap::{TrapKind, call_fault, fault};

/// The size in bytes of an uncompressed instruction such as `ecall`.
const ECALL_SIZE: u32 = 4;

/// A foreign library in user mode, behind physical memory protection.
pub struct Pmp<K: Kernel> {
    kernel: K,
    region: ForeignRegion,
    window: Window,
    image: FlatImage<'static>,
    library: &'static str,
    protection: PmpEntries,
    machine: Machine,
    context: Context,
    /// Resume points of the calls that wait in a callback, indexed by depth.
    waiting: [Waiting; MAX_DEPTH as usize],
    /// Trap registers of the trap handler that makes calls, if one does.
    trap_registers: TrapRegisters,
}

/// Where foreign code resumes after a callback. Its other registers are on its own stack.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    pc: u32,
    sp: u32,
}

/// Carries nothing: only [`Kernel::interrupt`] can interrupt a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterruptHandle(());

impl<K: Kernel> fmt::Debug for Pmp<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pmp")
            .field("library", &self.library)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl<K: Kernel> Pmp<K> {
    /// Copies a library's image into its region, and runs its constructors.
    ///
    /// # Errors
    /// - [`Error::Load`] if the image is damaged, or linked to another region.
    /// - [`Error::Unsupported`] if the hart cannot confine foreign code.
    /// - [`Error::Fault`] and others if a constructor of the library causes them.
    pub fn start(kernel: K, region: ForeignRegion, description: &Description) -> Result<Self> {
        if !cfg!(target_arch = "riscv32") {
            return Err(Error::Unsupported {
                what: "physical memory protection, on a processor that is no RV32",
                remedy: "use the runtimes of the crate omniglot",
            });
        }
        let image = FlatImage::new(description.image)?;
        if image.counts() != (description.shims as usize, description.slots as usize) {
            return Err(Error::Load(Text::fixed(
                "the image belongs to other bindings: build both",
            )));
        }
        let mut pmp = Self {
            window: region.window(image.start, image.end - image.start)?,
            protection: PmpEntries::new::<K>(image.start, image.ram, image.end)?,
            machine: Machine::new(K::EXCLUSIVE)?,
            kernel,
            region,
            image,
            library: description.name,
            context: Context::new(image.return_stub, image.thread_pointer),
            waiting: [Waiting::default(); MAX_DEPTH as usize],
            trap_registers: TrapRegisters::default(),
        };
        pmp.load(&mut Calls::new())?;
        Ok(pmp)
    }

    /// Ends the domain and returns its region, which can then hold another domain.
    #[must_use]
    pub fn into_region(self) -> ForeignRegion {
        self.region
    }

    /// The kernel's implementation of [`Kernel`].
    #[must_use]
    pub const fn kernel(&self) -> &K {
        &self.kernel
    }

    /// Writes the domain's memory as the library expects it at start, whatever it held before.
    #[inline(never)]
    fn load(&mut self, calls: &mut Calls) -> Result<()> {
        let image = self.image;
        self.region.zero(image.start, image.end - image.start);
        self.window.write(image.start, image.code)?;
        self.window.write(image.data_start, image.data)?;
        let stub = (image.call_back_stub as u32).to_le_bytes();
        self.window.write(image.callback_variable, &stub)?;
        csr::fence_i();
        match self.enter_in_time(image.initialise, 0, calls)? {
            Event::Returned => Ok(()),
            Event::Callback { .. } => Err(Error::Protocol("a callback while it starts")),
        }
    }

    /// Runs foreign code up to its next trap. The fields of [`Start`] are passed one by one.
    /// Otherwise the compiler would put them into memory for calls without a time limit, too.
    #[inline(never)]
    fn start_in_time(
        &mut self,
        pc: u32,
        sp: u32,
        a0: u32,
        a1: u32,
        s1: u32,
        calls: &mut Calls,
    ) -> Trap {
        self.cross_in_time(Some(Start { pc, sp, a0, a1, s1 }), calls)
    }

    /// Starts a call with a time limit.
    #[inline(never)]
    fn enter_in_time(
        &mut self,
        entry: usize,
        arguments: usize,
        calls: &mut Calls,
    ) -> Result<Event> {
        let Start { pc, sp, a0, a1, s1 } = self.start_of(entry, arguments, calls.depth());
        let trap = self.start_in_time(pc, sp, a0, a1, s1, calls);
        self.outcome(trap, calls)
    }

    /// Answers the innermost callback and resumes foreign code.
    #[inline(never)]
    fn answer(&mut self, reply: Reply, calls: &mut Calls) -> Result<Event> {
        let Waiting { pc, sp } = self.waiting_at(calls.depth());
        let (a0, a1) = match reply {
            Reply::Return => (0, 0),
            Reply::Raise { entry, arguments } => (entry as u32, arguments as u32),
        };
        let trap = self.start_in_time(pc, sp, a0, a1, 0, calls);
        self.outcome(trap, calls)
    }

    /// The resume point of the call at this depth.
    fn waiting_at(&self, depth: u32) -> Waiting {
        self.waiting.get(depth as usize).copied().unwrap_or_default()
    }

    /// The initial stack pointer of a nested call: below what the innermost waiting call has on the
    /// stack.
    #[cold]
    fn nested_stack(&self, depth: u32) -> u32 {
        const ALIGN: u32 = 16;
        self.waiting_at(depth - 1).sp & !(ALIGN - 1)
    }

    /// The entry point and register values of a call.
    #[inline(always)]
    fn start_of(&self, entry: usize, arguments: usize, depth: u32) -> Start {
        let sp = if depth == 0 { self.image.stack_top as u32 } else { self.nested_stack(depth) };
        Start { pc: entry as u32, sp, a0: arguments as u32, a1: 0, s1: depth }
    }

    #[inline(always)]
    fn start_now(&mut self, start: Start) -> Trap {
        let were_on = self.trap_registers.interrupts_off();
        let trap = self.cross(Some(start));
        self.trap_registers.restore_interrupts(were_on);
        trap
    }

    /// Translates a trap of foreign code into an event or error, after serving interrupts.
    #[inline(always)]
    fn outcome(&mut self, trap: Trap, calls: &mut Calls) -> Result<Event> {
        if trap.is_call(request::RETURN) && self.is_innermost(calls) {
            return Ok(Event::Returned);
        }
        self.handle_trap(trap, calls)
    }

    /// Handles a trap that is not a plain return: a callback, an interrupt or an error.
    #[inline(never)]
    fn handle_trap(&mut self, mut trap: Trap, calls: &mut Calls) -> Result<Event> {
        loop {
            // The call cannot continue, whatever the error is.
            let error = match trap.kind() {
                TrapKind::Call(request::CALL_BACK) => match self.called_back(calls.depth()) {
                    Some(event) => return Ok(event),
                    None => Error::TooDeep { limit: MAX_DEPTH },
                },
                // A return after interrupts, or of the wrong call.
                TrapKind::Call(request::RETURN) if self.is_innermost(calls) => {
                    return Ok(Event::Returned);
                }
                TrapKind::Call(request) => self.refuse(request, calls.depth()),
                TrapKind::Interrupt(number) => match self.kernel.interrupt(number) {
                    After::Continue => {
                        trap = self.cross_in_time(None, calls);
                        continue;
                    }
                    After::Stop => Error::Interrupted,
                },
                TrapKind::Exception(code) => fault(code, &self.context, &self.image, self.library),
                TrapKind::NotRun => Self::not_run(calls),
            };
            calls.lose(Cause::Protocol);
            return Err(error);
        }
    }

    /// Returns true if the call that foreign code returns from is the one that runs.
    #[inline(always)]
    fn is_innermost(&self, calls: &Calls) -> bool {
        self.context.x.get(A0) == calls.depth()
    }

    /// Runs foreign code up to its next trap, and counts the time if it is limited.
    ///
    /// Interrupts are off from before the timer is set until foreign code runs. Otherwise an
    /// interrupt handler that makes calls of its own could set the timer to another time in
    /// between.
    fn cross_in_time(&mut self, start: Option<Start>, calls: &mut Calls) -> Trap {
        let were_on = self.trap_registers.interrupts_off();
        let mut trap = Trap::NOT_RUN;
        if let Some(began) = self.begin_stretch(calls) {
            trap = self.cross(start);
            self.end_stretch(began, calls);
        }
        self.trap_registers.restore_interrupts(were_on);
        trap
    }

    /// Sets the timer so that it interrupts foreign code at the deadline. Returns the current time.
    fn begin_stretch(&mut self, calls: &Calls) -> Option<u64> {
        let Some(left) = calls.time.left_after(0).ok()? else {
            return Some(0);
        };
        let now = self.kernel.now();
        self.kernel.wake_at(Some(now.saturating_add(left)));
        Some(now)
    }

    fn end_stretch(&mut self, began: u64, calls: &mut Calls) {
        if calls.time.is_limited() {
            calls.time.add(self.kernel.now().saturating_sub(began));
            self.kernel.wake_at(None);
        }
    }

    /// Runs foreign code up to its next trap, from a start or from where an interrupt stopped it.
    /// Does not run it if it cannot be confined. Interrupts must be off.
    #[inline(always)]
    fn cross(&mut self, start: Option<Start>) -> Trap {
        if !Self::ENTRIES_STAY {
            return self.cross_confined(start);
        }
        if self.protection.holds_addresses::<K>() && self.protection.holds::<K>() {
            return self.pass_gate(start);
        }
        match start {
            Some(Start { pc, sp, a0, a1, s1 }) => self.cross_elsewhere(pc, sp, a0, a1, s1),
            None => self.cross_confined(None),
        }
    }

    /// True if a domain's entries may stay in force between calls.
    const ENTRIES_STAY: bool = K::EXCLUSIVE && !K::LOCKDOWN;

    /// As [`cross`](Self::cross), where the entries in force are not this domain's.
    #[cold]
    #[inline(never)]
    fn cross_elsewhere(&mut self, pc: u32, sp: u32, a0: u32, a1: u32, s1: u32) -> Trap {
        self.cross_confined(Some(Start { pc, sp, a0, a1, s1 }))
    }

    #[inline(always)]
    fn cross_confined(&mut self, start: Option<Start>) -> Trap {
        let kept = if K::EXCLUSIVE { None } else { self.machine.restrict() };
        let before = self.protection.activate::<K>();
        let confined = self.protection.holds::<K>();
        let trap = if confined { self.pass_gate(start) } else { Trap::NOT_RUN };
        if !Self::ENTRIES_STAY {
            before.restore::<K>();
        }
        self.machine.restore(kept);
        trap
    }

    /// Passes the gate in both directions. Interrupts are off, and the PMP entries were read back.
    #[allow(unsafe_code)]
    #[inline(always)]
    fn pass_gate(&mut self, start: Option<Start>) -> Trap {
        let trap = match start {
            // SAFETY: interrupts are off. The PMP entries, read back, allow user mode this domain
            // and nothing else, and it has no other rights (invariants 2, 3).
            Some(start) => unsafe { gate::enter(&mut self.context, start) },
            // SAFETY: as above (invariants 2, 3).
            None => unsafe { gate::resume(&mut self.context) },
        };
        // Forces the value that is compared next to be loaded again. Every call would have to save
        // a register that kept it, which takes longer.
        compiler_fence(Ordering::SeqCst);
        trap
    }

    /// The reason why foreign code did not run.
    fn not_run(calls: &Calls) -> Error {
        calls.time.left_after(0).err().unwrap_or(CHANGED)
    }

    /// The error for an `ecall` that requests neither a return nor a callback.
    #[cold]
    fn refuse(&self, request: u32, depth: u32) -> Error {
        let a0 = self.context.x.get(A0);
        match request {
            request::RETURN if a0 < depth => Error::NonLocalExit,
            request::RETURN => Error::Protocol("a return from a call that is not in progress"),
            request::EXIT => Error::Exited { status: Some(a0.cast_signed()) },
            request::ABORT => self.call_fault(FaultKind::Abort),
            _ => self.call_fault(FaultKind::EnvironmentCall),
        }
    }

    fn call_fault(&self, kind: FaultKind) -> Error {
        call_fault(kind, &self.context, &self.image, self.library)
    }

    /// Marks the running call as waiting in a callback. Returns `None` if too many calls wait.
    #[inline(always)]
    fn called_back(&mut self, depth: u32) -> Option<Event> {
        let pc = self.context.pc.wrapping_add(ECALL_SIZE);
        let sp = self.context.x.get(SP);
        *self.waiting.get_mut(depth as usize)? = Waiting { pc, sp };
        Some(Event::Callback {
            slot: self.context.x.get(A0),
            arguments: self.context.x.get(A1) as usize,
        })
    }
}

/// The PMP entries no longer hold what was written, so the domain cannot run again.
const CHANGED: Error = Error::Unsupported {
    what: "PMP entries that hold what is written: some were locked since the domain started",
    remedy: "lock entries before the first domain starts",
};

// SAFETY: the window lies in the region, which the runtime owns (invariant 1). Foreign code runs in
// user mode only, inside `run` and `reload`, and can reach only the region's code and RAM
// (invariants 2, 3). The host waits meanwhile, so nothing is concurrent. What `check_writable`
// accepts is RAM of the domain.
#[allow(unsafe_code)]
unsafe impl<K: Kernel> Runtime for Pmp<K> {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
    const COUNTS_CALLS: bool = false;
    const TICKS_PER_SECOND: u64 = K::TICKS_PER_SECOND;
    type InterruptHandle = InterruptHandle;

    #[inline]
    fn window(&self) -> &Window {
        &self.window
    }

    #[inline]
    fn is_concurrent(&self) -> bool {
        false
    }

    #[inline]
    fn check_writable(&self, address: usize, len: usize) -> Result<()> {
        self.window.check(address, len)?;
        if address >= self.image.ram { Ok(()) } else { Err(Error::ReadOnly { address, len }) }
    }

    fn exchange(&self) -> (usize, usize) {
        (self.image.exchange, self.image.end - self.image.exchange)
    }

    #[inline]
    fn shim(&self, index: u32) -> Option<usize> {
        self.image.shim(index)
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.image.trampoline(slot)
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Pmp
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(())
    }

    #[inline(always)]
    unsafe fn run(&mut self, step: Step, calls: &mut Calls) -> Result<Event> {
        match step {
            Step::Call { entry, arguments } if calls.time.is_limited() => {
                self.enter_in_time(entry, arguments, calls)
            }
            Step::Call { entry, arguments } => {
                let start = self.start_of(entry, arguments, calls.depth());
                let trap = self.start_now(start);
                self.outcome(trap, calls)
            }
            Step::Resume(reply) => self.answer(reply, calls),
        }
    }

    /// Does nothing: foreign code runs only inside `run`.
    fn kill(&mut self) {}

    /// Clears the region and fills it from the image again. No earlier state survives: registers of
    /// open calls are discarded, and the gate passes none on.
    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        self.waiting = [Waiting::default(); MAX_DEPTH as usize];
        self.load(calls)
    }
}
