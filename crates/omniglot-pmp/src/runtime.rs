//! The runtime: a domain's state, and where its calls wait.

use core::fmt;
use core::sync::atomic::{Ordering, compiler_fence};

use omniglot_core::{
    Calls, Cause, Description, Error, Event, FaultKind, Guarantees, IsolationKind, MAX_DEPTH,
    Reply, Result, Runtime, Step, Text, Window,
};

use crate::csr::{self, Handling};
use crate::gate::{self, A0, A1, Context, SP, Start, Trap, request};
use crate::image::FlatImage;
use crate::machine::Machine;
use crate::protection::PmpEntries;
use crate::trap::{TrapKind, call_fault, fault};
use crate::{After, ForeignRegion, Kernel};

/// How many bytes an uncompressed instruction has, such as `ecall`.
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
    /// Where the calls wait that do, by their depth.
    waiting: [Waiting; MAX_DEPTH as usize],
    /// What a trap handler that calls has in its registers.
    handling: Handling,
}

/// Where foreign code goes on after a callback. Its other registers are on its own stack.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    pc: u32,
    sp: u32,
}

/// Empty: calls are only interrupted by [`Kernel::interrupt`].
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
    /// - [`Error::Load`]: the image is damaged, or not for this region.
    /// - [`Error::Unsupported`]: the hart cannot confine foreign code.
    /// - [`Error::Fault`] and others: a constructor of the library did that.
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
            handling: Handling::default(),
        };
        pmp.load(&mut Calls::new())?;
        Ok(pmp)
    }

    /// Ends the domain and gives its memory back, for another one.
    #[must_use]
    pub fn into_region(self) -> ForeignRegion {
        self.region
    }

    /// The kernel's half.
    #[must_use]
    pub const fn kernel(&self) -> &K {
        &self.kernel
    }

    /// Puts the domain's memory into the state in which the library starts, whatever was
    /// there before.
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

    /// Runs foreign code up to its next trap; the words of [`Start`] by themselves, or they
    /// would be put into memory for calls without a limit, too.
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

    /// Starts a call whose time is limited.
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

    /// Answers the innermost callback.
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

    /// Where the call at that depth waits.
    fn waiting_at(&self, depth: u32) -> Waiting {
        self.waiting.get(depth as usize).copied().unwrap_or_default()
    }

    /// Where the stack of a nested call starts: below what the innermost one has there.
    #[cold]
    fn nested_stack(&self, depth: u32) -> u32 {
        const ALIGN: u32 = 16;
        self.waiting_at(depth - 1).sp & !(ALIGN - 1)
    }

    /// Where a call starts, and with what.
    #[inline(always)]
    fn start_of(&self, entry: usize, arguments: usize, depth: u32) -> Start {
        let sp = if depth == 0 { self.image.stack_top as u32 } else { self.nested_stack(depth) };
        Start { pc: entry as u32, sp, a0: arguments as u32, a1: 0, s1: depth }
    }

    #[inline(always)]
    fn start_now(&mut self, start: Start) -> Trap {
        let were_on = self.handling.interrupts_off();
        let trap = self.cross(Some(start));
        self.handling.interrupts_back(were_on);
        trap
    }

    /// The event or error that a trap of foreign code means, after serving interrupts.
    #[inline(always)]
    fn outcome(&mut self, trap: Trap, calls: &mut Calls) -> Result<Event> {
        if trap.is_call(request::RETURN) && self.is_innermost(calls) {
            return Ok(Event::Returned);
        }
        self.go_on(trap, calls)
    }

    /// Handles a trap that is not a plain return: a callback, an interrupt or an error.
    #[inline(never)]
    fn go_on(&mut self, mut trap: Trap, calls: &mut Calls) -> Result<Event> {
        loop {
            // Whatever the error, the call cannot go on.
            let error = match trap.kind() {
                TrapKind::Call(request::CALL_BACK) => match self.called_back(calls.depth()) {
                    Some(event) => return Ok(event),
                    None => Error::TooDeep { limit: MAX_DEPTH },
                },
                // After interrupts, or wrongly.
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

    /// Whether the call that foreign code says returns is the one that runs.
    #[inline(always)]
    fn is_innermost(&self, calls: &Calls) -> bool {
        self.context.x.get(A0) == calls.depth()
    }

    /// Runs foreign code up to its next trap, and counts the time if it is limited.
    ///
    /// Interrupts are off from before the timer is set until foreign code runs, so that no
    /// handler that makes calls of its own comes between and sets the timer otherwise.
    fn cross_in_time(&mut self, start: Option<Start>, calls: &mut Calls) -> Trap {
        let were_on = self.handling.interrupts_off();
        let mut trap = Trap::NOT_RUN;
        if let Some(began) = self.begin_stretch(calls) {
            trap = self.cross(start);
            self.end_stretch(began, calls);
        }
        self.handling.interrupts_back(were_on);
        trap
    }

    /// Sets the timer, so that foreign code is interrupted when its time is up; returns the time of
    /// the start.
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

    /// Runs foreign code up to its next trap, if it can be confined: at a start, or where an
    /// interrupt stopped it. Interrupts are off.
    #[inline(always)]
    fn cross(&mut self, start: Option<Start>) -> Trap {
        if !Self::STAYS {
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

    /// Whether a domain's entries may stay in force.
    const STAYS: bool = K::EXCLUSIVE && !K::LOCKDOWN;

    /// The same where another domain was before.
    #[cold]
    #[inline(never)]
    fn cross_elsewhere(&mut self, pc: u32, sp: u32, a0: u32, a1: u32, s1: u32) -> Trap {
        self.cross_confined(Some(Start { pc, sp, a0, a1, s1 }))
    }

    #[inline(always)]
    fn cross_confined(&mut self, start: Option<Start>) -> Trap {
        let kept = if K::EXCLUSIVE { None } else { self.machine.close_up() };
        let before = self.protection.open::<K>();
        let confined = self.protection.holds::<K>();
        let trap = if confined { self.pass_gate(start) } else { Trap::NOT_RUN };
        if !Self::STAYS {
            before.put_back::<K>();
        }
        self.machine.put_back(kept);
        trap
    }

    /// Through the gate and back. Interrupts are off, and the PMP entries were read back.
    #[allow(unsafe_code)]
    #[inline(always)]
    fn pass_gate(&mut self, start: Option<Start>) -> Trap {
        let trap = match start {
            // SAFETY: interrupts are off; the PMP entries, read back, allow user mode this
            // domain and nothing else, and it has no other rights (invariants 2, 3).
            Some(start) => unsafe { gate::enter(&mut self.context, start) },
            // SAFETY: as above (invariants 2, 3).
            None => unsafe { gate::go_on(&mut self.context) },
        };
        // What is compared then is loaded again: a register that kept it would have to be saved
        // by every call, which takes longer.
        compiler_fence(Ordering::SeqCst);
        trap
    }

    /// Why foreign code did not run.
    fn not_run(calls: &Calls) -> Error {
        calls.time.left_after(0).err().unwrap_or(CHANGED)
    }

    /// The error for what an `ecall` asks for that is neither a return nor a callback.
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

    /// Marks the running call as waiting in a callback; `None` if too many wait.
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

/// The PMP entries do not hold what was written: nothing of the domain can run again.
const CHANGED: Error = Error::Unsupported {
    what: "PMP entries that hold what is written: some were locked since the domain started",
    remedy: "lock entries before the first domain starts",
};

// SAFETY: the window is the region's, which the runtime keeps (invariant 1). Foreign code
// runs in user mode only, inside `run` and `reload`, with the region's code and RAM as all that it
// can reach (invariants 2, 3), while the host waits: so nothing is concurrent. What
// `check_writable` accepts is RAM of the domain.
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

    /// Foreign code runs only inside `run`: there is nothing to stop.
    fn kill(&mut self) {}

    /// The region is cleared and filled from the image again. Nothing of what ran before is
    /// kept: registers of calls that were open are forgotten, and the gate gives none on.
    fn reload(&mut self, calls: &mut Calls) -> Result<()> {
        self.waiting = [Waiting::default(); MAX_DEPTH as usize];
        self.load(calls)
    }
}
