//! What the crate asks of a kernel.

/// The kernel's half: its timer, its interrupts, and which PMP entries it lends.
///
/// Everything else is this crate's. All methods are called in machine mode, on the
/// kernel's stack, with the kernel's own trap handler in place.
///
/// # Safety
/// Invariants 3 and 4 of this crate rest on what the kernel promises here:
/// - Calls are made in machine mode, on a hart with user mode, that has at least
///   [`ENTRIES`](Self::ENTRIES) PMP entries. Further ones, if the hart has any, are off
///   or allow nothing. A hart whose `misa` reads 0 has no supervisor mode.
/// - Smepmp's `mseccfg.MML` is [`LOCKDOWN`](Self::LOCKDOWN) from [`Pmp::start`](crate::Pmp::start)
///   on, if the hart has it, and `mseccfg.RLB` is not used to change locked entries.
/// - The entries [`FIRST_ENTRY`](Self::FIRST_ENTRY) and the two behind it are not
///   locked. Others that are locked keep their values from [`Pmp::start`](crate::Pmp::start)
///   on.
/// - Where [`EXCLUSIVE`](Self::EXCLUSIVE) is true, what it says is.
/// - All harts that a domain runs on have the same PMP granularity.
/// - No device copies to or from a domain's region by itself (DMA): data goes through
///   buffers of the kernel's own.
/// - A region is used by one hart at a time, and a hart that goes on where another was
///   runs `fence.i` first.
/// - A non-maskable interrupt, if the hart has any, comes back to what it interrupted, or
///   does not come back. With the hypervisor extension, `mstatush.MPV` is 0 in calls.
#[allow(unsafe_code)]
pub unsafe trait Kernel: Send + 'static {
    /// How many PMP entries the hart has: up to 16, a multiple of 4.
    const ENTRIES: usize = 16;
    /// The first of three neighbouring entries that are used while foreign code runs.
    ///
    /// What they, and all entries that are not locked, hold is put back whenever foreign
    /// code stops, so they may be in use for something else, such as processes (unless
    /// the kernel says that it has [none](Self::EXCLUSIVE)).
    const FIRST_ENTRY: usize;
    /// Whether machine-mode lockdown (Smepmp, `mseccfg.MML`) is on.
    ///
    /// In lockdown an entry is either for machine mode, which is what locked ones are, or
    /// for user mode. Then machine mode can reach a domain's region only while the domain's
    /// own entries are off, and through a locked entry that lets it read and write there.
    const LOCKDOWN: bool = false;
    /// Whether foreign code is all that ever runs in user mode: the kernel has no processes,
    /// and nothing in supervisor mode either.
    ///
    /// Then what confines a domain may stay as it is between calls, which makes calls cheaper:
    /// the entries hold the last domain's values (and are checked by each call), and
    /// `mcounteren`, `medeleg`, `mideleg` and `satp`, which are 0 from
    /// [`Pmp::start`](crate::Pmp::start) on, are nobody else's to write. In lockdown, where
    /// the domain's entries would shut machine mode out, only the latter.
    const EXCLUSIVE: bool = false;
    /// How fast [`now`](Self::now) counts.
    const TICKS_PER_SECOND: u64;

    /// The time, in ticks that never go back. Only asked for calls with a time limit.
    fn now(&mut self) -> u64;

    /// Arranges for an interrupt at or soon after this time while foreign code runs. `None`
    /// cancels that. A kernel with a periodic timer need not do anything: a call that hangs
    /// is then stopped at the next tick. Called with interrupts off, as is `now`.
    fn wake_at(&mut self, time: Option<u64>);

    /// An interrupt arrived while foreign code ran (`number` is `mcause` without its
    /// highest bit). When this returns, that interrupt is not pending any more, or
    /// disabled in `mie`; foreign code then goes on, or does not.
    ///
    /// It may do whatever an interrupt handler may, including calls into other domains. A
    /// kernel whose own handler serves all interrupts, and that makes foreign calls with
    /// interrupts on, needs nothing here: interrupts are on again, so the handler has run
    /// when this is called.
    fn interrupt(&mut self, number: u32) -> After;
}

/// How a call goes on after an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Foreign code goes on.
    Continue,
    /// The call ends with [`Error::Interrupted`](omniglot_core::Error::Interrupted), and the
    /// domain is unusable until it is reset.
    Stop,
}
