//! The runtime: a domain's state, and the calls in progress.

use core::fmt;
use core::time::Duration;

use omniglot_core::{
    Cause, Description, Error, FaultKind, Guarantees, IsolationKind, MAX_DEPTH, Reply, Result,
    Text, Window,
};
use omniglot_core::{Event, Runtime};

use crate::csr::{self, InterruptsOff};
use crate::gate::{self, A0, A1, A7, Context, RA, S1, SP, Start, TP};
use crate::image::Image;
use crate::machine::Machine;
use crate::protection::Protection;
use crate::timer::Timer;
use crate::trap::{Trap, call_fault, fault};
use crate::{After, ForeignRegion, Kernel};

/// What the image's stubs put into `a7` before their `ecall` (`omniglot-build`,
/// `image/stubs.S`).
mod request {
    pub(super) const RETURN: u32 = 0x6f00_0000;
    pub(super) const CALL_BACK: u32 = 0x6f00_1000;
    pub(super) const EXIT: u32 = 0x6f00_2000;
    pub(super) const ABORT: u32 = 0x6f00_3000;
}

/// How many bytes an uncompressed instruction has, such as `ecall`.
const ECALL_SIZE: u32 = 4;

/// A foreign library in user mode, behind physical memory protection.
pub struct Pmp<K: Kernel> {
    kernel: K,
    region: ForeignRegion,
    window: Window,
    image: Image,
    library: &'static str,
    protection: Protection,
    machine: Machine,
    context: Context,
    calls: Calls,
    timer: Timer,
    health: Health,
}

/// Calls in progress: each one but the innermost waits in a callback.
#[derive(Debug)]
struct Calls {
    open: u32,
    /// Whether the innermost one waits in a callback, too.
    in_callback: bool,
    /// Where each one waits.
    waiting: [Waiting; MAX_DEPTH as usize],
}

/// Where foreign code goes on after a callback. Its other registers are on its own stack.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    pc: u32,
    sp: u32,
}

/// Whether foreign code may still run.
#[derive(Clone, Copy, Debug)]
enum Health {
    Good,
    Poisoned(Cause),
}

/// There is nobody else to interrupt a call: [`Kernel::interrupt`] does.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterruptHandle(());

impl Calls {
    const fn new() -> Self {
        Self {
            open: 0,
            in_callback: false,
            waiting: [Waiting { pc: 0, sp: 0 }; MAX_DEPTH as usize],
        }
    }

    /// Where the innermost call waits.
    fn innermost(&mut self) -> Option<&mut Waiting> {
        self.waiting.get_mut(self.open.checked_sub(1)? as usize)
    }
}

impl<K: Kernel> fmt::Debug for Pmp<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pmp")
            .field("library", &self.library)
            .field("region", &self.region)
            .field("open", &self.calls.open)
            .field("health", &self.health)
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
            return Err(Error::Load(Text::new("the image belongs to other bindings: build both")));
        }
        let mut pmp = Self {
            window: region.window(image.start, image.end - image.start)?,
            protection: Protection::new::<K>(image.start, image.ram, image.end)?,
            machine: Machine::new()?,
            kernel,
            region,
            image,
            library: description.name,
            context: Context::default(),
            calls: Calls::new(),
            timer: Timer::new(),
            health: Health::Good,
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
    fn load(&mut self) -> Result<()> {
        let image = self.image;
        self.region.zero(image.start, image.end - image.start);
        self.window.write(image.start, image.code)?;
        self.window.write(image.data_start, image.data)?;
        let stub = (image.call_back_stub as u32).to_le_bytes();
        self.window.write(image.callback_variable, &stub)?;
        csr::fence_i();
        match self.enter(image.initialise, 0)? {
            Event::Returned => Ok(()),
            Event::Callback { .. } => Err(self.fail(Error::Protocol("a callback while it starts"))),
        }
    }

    /// Checks that foreign code may run.
    #[inline]
    fn check(&self) -> Result<()> {
        match self.health {
            Health::Good => Ok(()),
            Health::Poisoned(by) => Err(Error::Poisoned { by }),
        }
    }

    /// Prepares the context for a function's entry.
    fn prepare(&mut self, entry: usize, arguments: usize) {
        const ALIGN: u32 = 16;
        let below = match self.calls.innermost() {
            Some(waiting) => waiting.sp & !(ALIGN - 1),
            None => self.image.stack_top as u32,
        };
        self.set(entry as u32, below, arguments as u32, 0);
        self.context.x.set(RA, self.image.return_stub as u32);
        self.context.x.set(S1, self.calls.open);
    }

    /// Prepares the context for a fresh start there.
    fn set(&mut self, pc: u32, sp: u32, a0: u32, a1: u32) {
        let context = &mut self.context;
        context.pc = pc;
        context.x.set(RA, 0);
        context.x.set(SP, sp);
        context.x.set(TP, self.image.thread_pointer as u32);
        context.x.set(S1, 0);
        context.x.set(A0, a0);
        context.x.set(A1, a1);
    }

    /// Runs foreign code until it returns or calls back; serves interrupts meanwhile.
    fn run(&mut self) -> Result<Event> {
        let mut start = Start::Fresh;
        loop {
            self.cross_in_time(start)?;
            match Trap::new(self.context.cause) {
                Trap::Call => return self.requested(),
                Trap::Interrupt(number) => match self.kernel.interrupt(number) {
                    After::Continue => start = Start::Whole,
                    After::Stop => return Err(Error::Interrupted),
                },
                Trap::Exception(code) => {
                    return Err(fault(code, &self.context, &self.image, self.library));
                }
            }
        }
    }

    /// Runs foreign code up to its next trap, and counts the time if it is limited.
    ///
    /// Interrupts are off from before the timer is set until foreign code runs, so that no
    /// handler that makes calls of its own comes between and sets the timer otherwise.
    #[inline]
    fn cross_in_time(&mut self, start: Start) -> Result<()> {
        let _off = InterruptsOff::new();
        let began = if self.timer.is_limited() { Some(self.begin_stretch()?) } else { None };
        let crossed = self.cross(start);
        if let Some(began) = began {
            self.end_stretch(began);
        }
        crossed
    }

    /// Has the kernel interrupt foreign code when its time is up; when it starts.
    fn begin_stretch(&mut self) -> Result<u64> {
        let now = self.kernel.now();
        let deadline = self.timer.deadline(now)?;
        self.kernel.wake_at(Some(deadline));
        Ok(now)
    }

    fn end_stretch(&mut self, began: u64) {
        self.timer.used(self.kernel.now().saturating_sub(began));
        self.kernel.wake_at(None);
    }

    /// Runs foreign code up to its next trap. Interrupts are off.
    #[allow(unsafe_code)]
    #[inline]
    fn cross(&mut self, start: Start) -> Result<()> {
        let kept = self.machine.close_up();
        let before = self.protection.open::<K>();
        let confined = self.protection.holds::<K>();
        if confined {
            // SAFETY: interrupts are off; the PMP entries, read back, allow user mode this
            // domain and nothing else, and it has no other rights (invariants 2, 3).
            unsafe { gate::cross(&mut self.context, start) };
        }
        before.put_back::<K>();
        self.machine.put_back(kept);
        if confined { Ok(()) } else { Err(changed()) }
    }

    /// Does what an `ecall` asks for.
    fn requested(&mut self) -> Result<Event> {
        let registers = &self.context.x;
        let (a0, a1) = (registers.get(A0), registers.get(A1));
        match registers.get(A7) {
            request::RETURN => self.returned(a0),
            request::CALL_BACK => self.called_back(a0, a1),
            request::EXIT => Err(Error::Exited { status: Some(a0.cast_signed()) }),
            request::ABORT => Err(self.call_fault(FaultKind::Abort)),
            _ => Err(self.call_fault(FaultKind::EnvironmentCall)),
        }
    }

    fn call_fault(&self, kind: FaultKind) -> Error {
        call_fault(kind, &self.context, &self.image, self.library)
    }

    /// The call of this level returned, as the stub says.
    fn returned(&mut self, level: u32) -> Result<Event> {
        let innermost = self.calls.open.wrapping_sub(1);
        if level != innermost {
            let outer = level < innermost;
            let forged = Error::Protocol("a return from a call that is not in progress");
            return Err(if outer { Error::NonLocalExit } else { forged });
        }
        self.calls.open = innermost;
        self.calls.in_callback = innermost > 0;
        Ok(Event::Returned)
    }

    fn called_back(&mut self, slot: u32, arguments: u32) -> Result<Event> {
        let pc = self.context.pc.wrapping_add(ECALL_SIZE);
        let sp = self.context.x.get(SP);
        let no_call = Error::Protocol("a callback without a call");
        *self.calls.innermost().ok_or(no_call)? = Waiting { pc, sp };
        self.calls.in_callback = true;
        Ok(Event::Callback { slot, arguments: arguments as usize })
    }

    /// Draws the consequences of an error in the midst of a call.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        let cause = match error {
            Error::NonLocalExit => Some(Cause::NonLocalExit),
            // The entries were changed under us: nothing of the domain can run again.
            Error::Unsupported { .. } => Some(Cause::Protocol),
            _ => error.poisons(),
        };
        if let Some(cause) = cause {
            self.abandon(cause);
        }
        error
    }
}

#[cold]
fn changed() -> Error {
    Error::Unsupported {
        what: "PMP entries that hold what is written: some were locked since the domain started",
        remedy: "lock entries before the first domain starts",
    }
}

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

    fn enter(&mut self, entry: usize, arguments: usize) -> Result<Event> {
        self.check()?;
        if self.calls.open > 0 && !self.calls.in_callback {
            return Err(Error::Protocol("a call while foreign code runs"));
        }
        if self.calls.open >= MAX_DEPTH {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        self.prepare(entry, arguments);
        if self.calls.open == 0 {
            self.timer.begin();
        }
        self.calls.open += 1;
        self.calls.in_callback = false;
        self.run().map_err(|error| self.fail(error))
    }

    fn resume(&mut self, reply: Reply) -> Result<Event> {
        self.check()?;
        if !self.calls.in_callback {
            return Err(Error::Protocol("an answer to no callback"));
        }
        self.calls.in_callback = false;
        let waiting = self.calls.innermost().copied().unwrap_or_default();
        let (entry, arguments) = match reply {
            Reply::Return => (0, 0),
            Reply::Raise { entry, arguments } => (entry, arguments),
        };
        self.set(waiting.pc, waiting.sp, entry as u32, arguments as u32);
        self.run().map_err(|error| self.fail(error))
    }

    fn abandon(&mut self, cause: Cause) {
        if matches!(self.health, Health::Good) {
            self.health = Health::Poisoned(cause);
        }
        self.calls.open = 0;
        self.calls.in_callback = false;
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Pmp
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timer.set(limit, K::TICKS_PER_SECOND);
    }

    /// The region is cleared and filled from the image again. Nothing of what ran before is
    /// kept: registers of calls that were open are forgotten, and the gate gives none on.
    fn reset(&mut self) -> Result<()> {
        self.calls = Calls::new();
        self.health = Health::Good;
        self.load().inspect_err(|_| self.abandon(Cause::Reset))
    }

    fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(())
    }
}
