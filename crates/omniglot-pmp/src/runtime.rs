//! The runtime: a domain's state, and the calls in progress.

use core::fmt;
use core::time::Duration;

use omniglot_core::{
    Cause, Description, Error, FaultKind, Guarantees, IsolationKind, MAX_DEPTH, Reply, Result,
    Text, Window,
};
use omniglot_core::{Event, Runtime};

use crate::csr::{self, Handling};
use crate::gate::{self, A0, A1, Context, SP, Start, request};
use crate::image::Image;
use crate::machine::Machine;
use crate::protection::Protection;
use crate::timer::Timer;
use crate::trap::{Kind, Trap, call_fault, fault};
use crate::{After, ForeignRegion, Kernel};

/// How many bytes an uncompressed instruction has, such as `ecall`.
const ECALL_SIZE: u32 = 4;

/// A foreign library in user mode, behind physical memory protection.
pub struct Pmp<K: Kernel> {
    kernel: K,
    region: ForeignRegion,
    window: Window,
    image: Image<'static>,
    library: &'static str,
    protection: Protection,
    machine: Machine,
    context: Context,
    calls: Calls,
    timer: Timer,
    /// Whether outermost calls have the time limit together.
    in_operation: bool,
    stage: Stage,
    /// Why it is poisoned, if it is.
    cause: Cause,
    /// What a trap handler that calls has in its registers.
    handling: Handling,
}

/// Calls that wait in callbacks. One that runs has their number as its level.
#[derive(Debug)]
struct Calls {
    open: u32,
    /// Where each one waits.
    waiting: [Waiting; MAX_DEPTH as usize],
}

/// Where foreign code goes on after a callback. Its other registers are on its own stack.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    pc: u32,
    sp: u32,
}

/// Whether foreign code may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No call is in progress, or all of them wait in callbacks. Time is not limited: one
    /// comparison tells whether a call can start at once.
    Ready,
    /// The same where time is limited.
    ReadyInTime,
    /// A call is in progress that does not: the kernel is serving an interrupt.
    Interrupted,
    /// Never again, unless after a reset.
    Poisoned,
}

/// There is nobody else to interrupt a call: [`Kernel::interrupt`] does.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterruptHandle(());

impl Calls {
    const fn new() -> Self {
        Self { open: 0, waiting: [Waiting { pc: 0, sp: 0 }; MAX_DEPTH as usize] }
    }

    /// Where the stack of a nested call starts: below what the innermost one has there.
    #[cold]
    fn stack(&self) -> u32 {
        const ALIGN: u32 = 16;
        self.innermost().map_or(0, |waiting| waiting.sp & !(ALIGN - 1))
    }

    /// Where the innermost call waits.
    fn innermost(&self) -> Option<Waiting> {
        self.waiting.get(self.open.checked_sub(1)? as usize).copied()
    }

    /// Has the call that ran wait; whether there is a place for it.
    fn push(&mut self, waiting: Waiting) -> bool {
        let Some(place) = self.waiting.get_mut(self.open as usize) else { return false };
        *place = waiting;
        self.open += 1;
        true
    }

    /// Has the innermost call that waits run.
    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.innermost()?;
        self.open -= 1;
        Some(waiting)
    }
}

impl<K: Kernel> fmt::Debug for Pmp<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pmp")
            .field("library", &self.library)
            .field("region", &self.region)
            .field("open", &self.calls.open)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl<K: Kernel> Pmp<K> {
    /// Copies a library's image into its region, and lets it prepare itself.
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
        let image = Image::new(description.image)?;
        if image.counts() != (description.shims as usize, description.slots as usize) {
            return Err(Error::Load(Text::fixed(
                "the image belongs to other bindings: build both",
            )));
        }
        let mut pmp = Self {
            window: region.window(image.start, image.end - image.start)?,
            protection: Protection::new::<K>(image.start, image.ram, image.end)?,
            machine: Machine::new(K::EXCLUSIVE)?,
            kernel,
            region,
            image,
            library: description.name,
            context: Context::new(image.return_stub, image.thread_pointer),
            calls: Calls::new(),
            timer: Timer::new(),
            in_operation: false,
            stage: Stage::Ready,
            cause: Cause::Protocol,
            handling: Handling::default(),
        };
        pmp.load()?;
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
    fn load(&mut self) -> Result<()> {
        let image = self.image;
        self.region.zero(image.start, image.end - image.start);
        self.window.write(image.start, image.code)?;
        self.window.write(image.data_start, image.data)?;
        let stub = (image.call_back_stub as u32).to_le_bytes();
        self.window.write(image.callback_variable, &stub)?;
        csr::fence_i();
        match self.enter_in_time(image.initialise, 0)? {
            Event::Returned => Ok(()),
            Event::Callback { .. } => {
                self.fail(Error::Protocol("a callback while it starts")).map(|_: Event| ())
            }
        }
    }

    /// Why foreign code may not run.
    #[cold]
    fn refused(&self) -> Error {
        match self.stage {
            Stage::Poisoned => Error::Poisoned { by: self.cause },
            Stage::Ready | Stage::ReadyInTime | Stage::Interrupted => {
                Error::Protocol("a call while foreign code runs, or an answer to no callback")
            }
        }
    }

    /// Runs foreign code up to its next trap; the words of [`Start`] by themselves, or they
    /// would be put into memory for calls without a limit, too.
    #[inline(never)]
    fn start_in_time(&mut self, pc: u32, sp: u32, a0: u32, a1: u32, s1: u32) -> Trap {
        self.cross_in_time(Some(Start { pc, sp, a0, a1, s1 }))
    }

    /// What a domain is in which foreign code may run.
    const fn ready(&self) -> Stage {
        if self.timer.is_limited() { Stage::ReadyInTime } else { Stage::Ready }
    }

    const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::ReadyInTime)
    }

    /// As [`enter`](Runtime::enter), in time if that is limited, and not at all where it cannot
    /// be.
    #[inline(never)]
    fn enter_in_time(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        if !self.is_ready() {
            return Err(self.refused());
        }
        if self.calls.open == 0 && !self.in_operation {
            self.timer.begin();
        }
        let Start { pc, sp, a0, a1, s1 } = self.start_of(entry, arguments);
        let trap = self.start_in_time(pc, sp, a0, a1, s1);
        self.outcome(trap)
    }

    /// Where a call starts, and with what.
    #[inline(always)]
    fn start_of(&self, entry: usize, arguments: usize) -> Start {
        let level = self.calls.open;
        let sp = if level == 0 { self.image.stack_top as u32 } else { self.calls.stack() };
        Start { pc: entry as u32, sp, a0: arguments as u32, a1: 0, s1: level }
    }

    #[inline(always)]
    fn start_now(&mut self, start: Start) -> Trap {
        let were_on = self.handling.interrupts_off();
        let trap = self.cross(Some(start));
        self.handling.interrupts_back(were_on);
        trap
    }

    /// What foreign code means by a trap, after interrupts if need be.
    #[inline(always)]
    fn outcome(&mut self, trap: Trap) -> Result<Event> {
        if trap.is_call(request::RETURN) && self.is_innermost() {
            return Ok(Event::Returned);
        }
        self.go_on(trap)
    }

    /// Draws the consequences of a trap that is no return.
    #[inline(never)]
    fn go_on(&mut self, mut trap: Trap) -> Result<Event> {
        loop {
            let error = match trap.kind() {
                Kind::Call(request::CALL_BACK) => match self.called_back() {
                    Some(event) => return Ok(event),
                    None => Error::TooDeep { limit: MAX_DEPTH },
                },
                // After interrupts, or wrongly.
                Kind::Call(request::RETURN) if self.is_innermost() => return Ok(Event::Returned),
                Kind::Call(request) => self.refuse(request),
                Kind::Interrupt(number) => match self.serve(number) {
                    After::Continue => {
                        trap = self.cross_in_time(None);
                        continue;
                    }
                    After::Stop => Error::Interrupted,
                },
                Kind::Exception(code) => fault(code, &self.context, &self.image, self.library),
                Kind::NotRun => self.not_run(),
            };
            return self.fail(error);
        }
    }

    /// Whether the call that foreign code says returns is the one that runs.
    #[inline(always)]
    fn is_innermost(&self) -> bool {
        self.context.x.get(A0) == self.calls.open
    }

    /// Has the kernel serve an interrupt.
    fn serve(&mut self, number: u32) -> After {
        self.stage = Stage::Interrupted;
        let after = self.kernel.interrupt(number);
        self.stage = self.ready();
        after
    }

    /// Runs foreign code up to its next trap, and counts the time if it is limited.
    ///
    /// Interrupts are off from before the timer is set until foreign code runs, so that no
    /// handler that makes calls of its own comes between and sets the timer otherwise.
    fn cross_in_time(&mut self, start: Option<Start>) -> Trap {
        let were_on = self.handling.interrupts_off();
        let mut trap = Trap::NOT_RUN;
        if let Some(began) = self.begin_stretch() {
            trap = self.cross(start);
            self.end_stretch(began);
        }
        self.handling.interrupts_back(were_on);
        trap
    }

    /// Has the kernel interrupt foreign code when its time is up; when it starts.
    fn begin_stretch(&mut self) -> Option<u64> {
        if !self.timer.is_limited() {
            return Some(0);
        }
        let now = self.kernel.now();
        let deadline = self.timer.deadline(now).ok()?;
        self.kernel.wake_at(Some(deadline));
        Some(now)
    }

    fn end_stretch(&mut self, began: u64) {
        if self.timer.is_limited() {
            self.timer.used(self.kernel.now().saturating_sub(began));
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
        match start {
            // SAFETY: interrupts are off; the PMP entries, read back, allow user mode this
            // domain and nothing else, and it has no other rights (invariants 2, 3).
            Some(start) => unsafe { gate::enter(&mut self.context, start) },
            // SAFETY: as above.
            None => unsafe { gate::go_on(&mut self.context) },
        }
    }

    /// Why foreign code did not run.
    fn not_run(&self) -> Error {
        let late = self.timer.is_limited().then(|| self.timer.deadline(0).err());
        late.flatten().unwrap_or(CHANGED)
    }

    /// The error for what an `ecall` asks for that is neither a return nor a callback.
    #[cold]
    fn refuse(&self, request: u32) -> Error {
        let a0 = self.context.x.get(A0);
        match request {
            request::RETURN if a0 < self.calls.open => Error::NonLocalExit,
            request::RETURN => Error::Protocol("a return from a call that is not in progress"),
            request::EXIT => Error::Exited { status: Some(a0.cast_signed()) },
            request::ABORT => self.call_fault(FaultKind::Abort),
            _ => self.call_fault(FaultKind::EnvironmentCall),
        }
    }

    fn call_fault(&self, kind: FaultKind) -> Error {
        call_fault(kind, &self.context, &self.image, self.library)
    }

    /// Has the call that runs wait in a callback; nothing if there are too many that do.
    #[inline(always)]
    fn called_back(&mut self) -> Option<Event> {
        let pc = self.context.pc.wrapping_add(ECALL_SIZE);
        let sp = self.context.x.get(SP);
        self.calls.push(Waiting { pc, sp }).then(|| Event::Callback {
            slot: self.context.x.get(A0),
            arguments: self.context.x.get(A1) as usize,
        })
    }

    /// Draws the consequences of an error in the midst of a call.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: Error) -> Result<Event> {
        let cause = match error {
            Error::NonLocalExit => Cause::NonLocalExit,
            _ => error.poisons().unwrap_or(Cause::Protocol),
        };
        self.abandon(cause);
        Err(error)
    }
}

/// The entries were changed under us: nothing of the domain can run again.
const CHANGED: Error = Error::Unsupported {
    what: "PMP entries that hold what is written: some were locked since the domain started",
    remedy: "lock entries before the first domain starts",
};

// SAFETY: the window is the region's, which the runtime keeps (invariant 1). Foreign code
// runs in user mode only, inside `cross`, with the region's code and RAM as all that it
// can reach (invariants 2, 3), while the host waits: so nothing is concurrent. What
// `check_writable` accepts is RAM of the domain.
#[allow(unsafe_code)]
unsafe impl<K: Kernel> Runtime for Pmp<K> {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
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

    #[inline(always)]
    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        if self.stage != Stage::Ready {
            return self.enter_in_time(entry, arguments);
        }
        let start = self.start_of(entry, arguments);
        let trap = self.start_now(start);
        self.outcome(trap)
    }

    fn resume(&mut self, reply: Reply) -> Result<Event> {
        let waiting = if self.is_ready() { self.calls.pop() } else { None };
        let Some(Waiting { pc, sp }) = waiting else { return Err(self.refused()) };
        let (a0, a1) = match reply {
            Reply::Return => (0, 0),
            Reply::Raise { entry, arguments } => (entry as u32, arguments as u32),
        };
        let trap = self.start_in_time(pc, sp, a0, a1, 0);
        self.outcome(trap)
    }

    fn abandon(&mut self, cause: Cause) {
        if self.stage != Stage::Poisoned {
            self.stage = Stage::Poisoned;
            self.cause = cause;
        }
        self.calls.open = 0;
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Pmp
    }

    fn begin_operation(&mut self) {
        self.timer.begin();
        self.in_operation = true;
    }

    fn end_operation(&mut self) {
        self.in_operation = false;
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timer.set(limit, K::TICKS_PER_SECOND);
        if self.is_ready() {
            self.stage = self.ready();
        }
    }

    /// The region is cleared and filled from the image again. Nothing of what ran before is
    /// kept: registers of calls that were open are forgotten, and the gate gives none on.
    fn reset(&mut self) -> Result<()> {
        self.calls = Calls::new();
        self.stage = self.ready();
        self.load().inspect_err(|_| self.abandon(Cause::Reset))
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(())
    }
}
