//! The interface that a kernel implements for this crate.

/// The kernel's part: its timer, its interrupts, and the PMP entries that it lends.
///
/// This crate does everything else. It calls all methods in machine mode, on the kernel's stack,
/// with the kernel's own trap handler in place.
///
/// # Safety
/// Invariants 3 and 4 of this crate rest on the following promises:
/// - Calls are made in machine mode, on a hart with user mode that has at least
///   [`ENTRIES`](Self::ENTRIES) PMP entries. Further entries, if the hart has any, are off or allow
///   nothing. A hart whose `misa` reads 0 has no supervisor mode.
/// - If the hart has Smepmp, `mseccfg.MML` equals [`LOCKDOWN`](Self::LOCKDOWN) from
///   [`Pmp::start`](crate::Pmp::start) on, and `mseccfg.RLB` is not used to change locked entries.
/// - The entry [`FIRST_ENTRY`](Self::FIRST_ENTRY) and the two behind it are not locked. Other
///   locked entries keep their values from [`Pmp::start`](crate::Pmp::start) on.
/// - If [`EXCLUSIVE`](Self::EXCLUSIVE) is true, what it states holds.
/// - All harts that a domain runs on have the same PMP granularity.
/// - No device copies to or from a domain's region by itself (DMA). Data goes through the kernel's
///   own buffers.
/// - One hart at a time uses a region. A hart that takes over from another runs `fence.i` first.
/// - A non-maskable interrupt, if the hart has any, returns to the interrupted code or does not
///   return. With the hypervisor extension, `mstatush.MPV` is 0 during calls.
///   does not come back. With the hypervisor extension, `mstatush.MPV` is 0 in calls.
#[allow(unsafe_code)]
pub unsafe trait Kernel: Send + 'static {
    /// The number of PMP entries of the hart: up to 16, a multiple of 4.
    const ENTRIES: usize = 16;
    /// The first of three neighbouring entries that are used while foreign code runs.
    ///
    /// Whenever foreign code stops, the previous values of these three, and of all entries that are
    /// not locked, are restored. So the kernel may use them for something else, such as processes,
    /// unless it declares that it has [none](Self::EXCLUSIVE).
    const FIRST_ENTRY: usize;
    /// True if machine-mode lockdown (Smepmp, `mseccfg.MML`) is on.
    ///
    /// Under lockdown a locked entry applies to machine mode only, and any other entry to user mode
    /// only. Machine mode can then access a domain's region only while the domain's own entries are
    /// off, and only through a locked entry that allows reads and writes there.
    const LOCKDOWN: bool = false;
    /// True if only foreign code ever runs in user mode: the kernel has no processes, and nothing
    /// runs in supervisor mode either.
    ///
    /// The registers that confine a domain may then keep their values between calls, which makes
    /// calls cheaper. The PMP entries keep the last domain's values, and each call checks them.
    /// `mcounteren`, `medeleg`, `mideleg` and `satp` are 0 from [`Pmp::start`](crate::Pmp::start)
    /// on, and nothing else may write them. Under lockdown the domain's entries would exclude
    /// machine mode, so only these four registers keep their values.
    const EXCLUSIVE: bool = false;
    /// The frequency of [`now`](Self::now), in ticks per second.
    const TICKS_PER_SECOND: u64;

    /// The current time, in ticks that never go back. Called only for calls with a time limit.
    fn now(&mut self) -> u64;

    /// Requests an interrupt at or soon after this time, while foreign code runs. `None` cancels
    /// the request. A kernel with a periodic timer need not do anything: its next tick then stops a
    /// call that hangs. Called with interrupts off, as is `now`.
    fn wake_at(&mut self, time: Option<u64>);

    /// Serves an interrupt that arrived while foreign code ran. `number` is `mcause` without its
    /// highest bit. On return the interrupt must not be pending any more, or must be disabled in
    /// `mie`. The result says whether foreign code continues.
    ///
    /// The method may do whatever an interrupt handler may, including calls into other domains. A
    /// kernel whose own handler serves all interrupts, and that makes foreign calls with interrupts
    /// on, needs to do nothing here. Interrupts are on again when this is called, so that handler
    /// has already run.
    fn interrupt(&mut self, number: u32) -> After;
}

/// How a call continues after an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Foreign code continues.
    Continue,
    /// The call ends with [`Error::Interrupted`](omniglot_core::Error::Interrupted), and the domain
    /// is unusable until it is reset.
    Stop,
}
