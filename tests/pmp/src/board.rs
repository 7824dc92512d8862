//! QEMU's board `virt`: its serial line, its timer, the device that stops the machine, and what
//! omniglot-pmp requires of a kernel.
#![allow(unsafe_code)]

#[path = "devices.rs"]
pub(crate) mod devices;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use omniglot_pmp::{After, ForeignRegion, Kernel};
use riscv::interrupt::Interrupt;

use devices::read32;
pub(crate) use devices::{TICKS_PER_SECOND, address, finish, now};

/// The interrupt controller for devices (QEMU, `hw/riscv/virt.c`).
pub(crate) const PLIC: usize = 0xc00_0000;

/// Returns the number of retired instructions.
pub(crate) fn instructions() -> usize {
    riscv::register::minstret::read()
}

/// A time in two halves, since the hart has no 64-bit atomics. It is only used with interrupts off,
/// or by the handler.
struct Time([AtomicU32; 2]);

impl Time {
    const fn never() -> Self {
        Self([AtomicU32::new(u32::MAX), AtomicU32::new(u32::MAX)])
    }
    fn get(&self) -> u64 {
        let [low, high] = &self.0;
        u64::from(high.load(Ordering::Relaxed)) << 32 | u64::from(low.load(Ordering::Relaxed))
    }
    fn set(&self, time: u64) {
        let [low, high] = &self.0;
        low.store(time as u32, Ordering::Relaxed);
        high.store((time >> 32) as u32, Ordering::Relaxed);
    }
}

/// The time at which foreign code has to stop.
static DEADLINE: Time = Time::never();
/// The time of the next tick of the kernel's own clock.
static NEXT_TICK: Time = Time::never();
static PERIOD: AtomicU32 = AtomicU32::new(0);
static TICKS: AtomicU32 = AtomicU32::new(0);
static ARMED: AtomicU32 = AtomicU32::new(0);
static IN_FOREIGN_CODE: AtomicU32 = AtomicU32::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

/// Sets the timer interrupt to the earlier of the two times.
fn set_timer() {
    devices::set_timer(DEADLINE.get().min(NEXT_TICK.get()));
}

/// The kernel's own handler of the timer interrupt.
#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    if serve_timer() {
        crate::interrupts::tick();
    }
}

/// Postpones the timer interrupt. Returns true if a tick of the kernel's clock was due.
fn serve_timer() -> bool {
    let now = now();
    let due = now >= NEXT_TICK.get();
    if due {
        increment(&TICKS);
        // Counted from now: on a busy machine, catching up would otherwise take all the time.
        arm(now);
    }
    if now >= DEADLINE.get() {
        DEADLINE.set(u64::MAX);
    }
    set_timer();
    due
}

/// Sets the next tick of the kernel's clock.
fn arm(now: u64) {
    increment(&ARMED);
    NEXT_TICK.set(now + u64::from(PERIOD.load(Ordering::Relaxed)));
}

fn increment(count: &AtomicU32) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Starts the kernel's own clock, with a tick each `period`.
pub(crate) fn start_clock(period: u32) {
    riscv::interrupt::free(|| {
        PERIOD.store(period, Ordering::Relaxed);
        TICKS.store(0, Ordering::Relaxed);
        IN_FOREIGN_CODE.store(0, Ordering::Relaxed);
        ARMED.store(0, Ordering::Relaxed);
        arm(now());
        set_timer();
    });
}

/// What the kernel's own clock counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocked {
    /// Ticks that its handler has served.
    pub(crate) served: u32,
    /// Ticks for which the timer was set.
    pub(crate) armed: u32,
    /// Interrupts that occurred while foreign code ran.
    pub(crate) in_foreign_code: u32,
}

/// Stops the kernel's own clock.
pub(crate) fn stop_clock() -> Clocked {
    riscv::interrupt::free(|| {
        let served = TICKS.load(Ordering::Relaxed);
        let armed = ARMED.load(Ordering::Relaxed);
        NEXT_TICK.set(u64::MAX);
        set_timer();
        let in_foreign_code = IN_FOREIGN_CODE.load(Ordering::Relaxed);
        Clocked { served, armed, in_foreign_code }
    })
}

/// Sets whether the next interrupt in foreign code ends the call.
pub(crate) fn stop_at_next_interrupt(stop: bool) {
    STOP.store(stop, Ordering::Relaxed);
}

/// Enables the timer interrupt, and interrupts.
pub(crate) fn interrupts_on() {
    set_timer();
    // SAFETY: this interrupt has a handler, above.
    unsafe { riscv::register::mie::set_mtimer() };
    // SAFETY: no critical section is open.
    unsafe { riscv::interrupt::enable() };
}

/// This board, for omniglot-pmp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board;

// SAFETY: the board has one hart in machine mode, with 16 PMP entries and without Smepmp. Only
// entry 0 is locked, before any domain starts. No device uses DMA.
unsafe impl Kernel for Board {
    const FIRST_ENTRY: usize = 1;
    const TICKS_PER_SECOND: u64 = TICKS_PER_SECOND;

    fn now(&mut self) -> u64 {
        now()
    }

    fn wake_at(&mut self, time: Option<u64>) {
        riscv::interrupt::free(|| {
            DEADLINE.set(time.unwrap_or(u64::MAX));
            set_timer();
        });
    }

    fn interrupt(&mut self, _number: u32) -> After {
        increment(&IN_FOREIGN_CODE);
        // If the call was made in a handler, interrupts were off all the time.
        if riscv::register::mip::read().mtimer() {
            serve_timer();
        }
        if STOP.load(Ordering::Relaxed) { After::Stop } else { After::Continue }
    }
}

/// Returns the memory of the conformance library's domain (tests/conformance/build.rs).
///
/// # Safety
/// There is no domain in it now.
pub(crate) unsafe fn conformance_region() -> ForeignRegion {
    // SAFETY: memory.x keeps the kernel out of it, and the caller keeps other domains out.
    unsafe { ForeignRegion::new(0x8400_0000, 6 << 20) }
}

/// Returns the memory of the hostile library's domain (build.rs).
///
/// # Safety
/// There is no domain in it now.
pub(crate) unsafe fn hostile_region() -> ForeignRegion {
    // SAFETY: memory.x keeps the kernel out of it, and the caller keeps other domains out.
    unsafe { ForeignRegion::new(0x8600_0000, 128 << 10) }
}

unsafe extern "C" {
    static __stext: u32;
    static __erodata: u32;
}

/// Returns the range of the kernel's code and constants.
pub(crate) fn code_range() -> (usize, usize) {
    ((&raw const __stext).addr(), (&raw const __erodata).addr())
}

/// Returns the kernel's code and constants.
pub(crate) fn code() -> &'static [u32] {
    let (start, end) = code_range();
    // SAFETY: the linker script of riscv-rt puts code and constants there, in one piece and aligned
    // to four bytes. Nothing writes them.
    unsafe { core::slice::from_raw_parts(&raw const __stext, (end - start) / 4) }
}

/// Returns approximately the current stack pointer of the kernel.
pub(crate) fn stack_pointer() -> usize {
    let here = 0u32;
    core::ptr::from_ref(core::hint::black_box(&here)).addr()
}

/// Returns the contents of the hart's PMP entries.
pub(crate) fn protection() -> [usize; 12] {
    use riscv::register::{
        pmpaddr0, pmpaddr1, pmpaddr2, pmpaddr3, pmpaddr4, pmpaddr8, pmpaddr9, pmpaddr15, pmpcfg0,
        pmpcfg1, pmpcfg2, pmpcfg3,
    };
    [
        pmpcfg0::read().bits,
        pmpcfg1::read().bits,
        pmpcfg2::read().bits,
        pmpcfg3::read().bits,
        pmpaddr0::read(),
        pmpaddr1::read(),
        pmpaddr2::read(),
        pmpaddr3::read(),
        pmpaddr4::read(),
        pmpaddr8::read(),
        pmpaddr9::read(),
        pmpaddr15::read(),
    ]
}

/// Guards the lower end of the kernel's stack. Also leaves some of the kernel's own entries open,
/// as a kernel with processes may: foreign code must not be able to use them.
pub(crate) fn set_protection() {
    const GUARD: usize = 0x8180_0000;
    const LOCKED_NAPOT: usize = 0x98;
    const OPEN_NAPOT: usize = 0x1f;
    // SAFETY: the entry covers 4 KiB within the kernel's RAM, far below its stack and above its
    // variables.
    unsafe { riscv::register::pmpaddr0::write(GUARD >> 2 | 0x1ff) };
    // SAFETY: the entry covers all memory; it is not locked, so it applies to user mode only.
    unsafe { riscv::register::pmpaddr8::write(usize::MAX) };
    // SAFETY: the guard's entry is now on, locked and without permissions.
    unsafe { riscv::register::pmpcfg0::write(LOCKED_NAPOT) };
    // SAFETY: the entry for all memory is now on, for user mode only.
    unsafe { riscv::register::pmpcfg2::write(OPEN_NAPOT) };
}

/// Locks an entry that lets user mode read the kernel's code. This cannot be undone.
pub(crate) fn lock_open_entry() {
    const LOCKED_READ_EXECUTE_NAPOT: usize = 0x9d << 24;
    // SAFETY: the entry is for reading and executing; lower entries have priority over it.
    unsafe { riscv::register::pmpaddr15::write(0x8000_0000 >> 2 | 0x1ff) };
    // SAFETY: the entry covers 4 KiB of the kernel's code, which stays readable and executable.
    unsafe { riscv::register::pmpcfg3::write(LOCKED_READ_EXECUTE_NAPOT) };
}

/// The word in memory with which a machine is to be locked down: see `xtask`'s emulator.
const LOCK_DOWN: u32 = u32::from_le_bytes(*b"LOCK");
const LOCK_DOWN_AT: usize = 0x83ff_fff0;

/// Returns true if the hart has Smepmp and is to be locked down.
pub(crate) fn is_to_be_locked_down() -> bool {
    read32(LOCK_DOWN_AT) == LOCK_DOWN
}

/// Locks entries for machine mode only: for the kernel's code, its memory, that of domains, and the
/// devices. Then enables machine-mode lockdown. This cannot be undone.
pub(crate) fn lock_down() {
    const NAPOT: u8 = 0x98;
    const READ_EXECUTE: u8 = 0b101 | NAPOT;
    const READ_WRITE: u8 = 0b011 | NAPOT;
    // SAFETY: the entry covers 16 MiB, the kernel's code and constants (memory.x).
    unsafe { riscv::register::pmpaddr4::write(0x8000_0000 >> 2 | 0x1f_ffff) };
    // SAFETY: the entry covers 16 MiB, the kernel's RAM.
    unsafe { riscv::register::pmpaddr5::write(0x8100_0000 >> 2 | 0x1f_ffff) };
    // SAFETY: the entry covers 64 MiB, where domains are.
    unsafe { riscv::register::pmpaddr6::write(0x8400_0000 >> 2 | 0x7f_ffff) };
    // SAFETY: the entry covers 1 GiB, where devices are.
    unsafe { riscv::register::pmpaddr7::write(0x07ff_ffff) };
    let settings = [READ_EXECUTE, READ_WRITE, READ_WRITE, READ_WRITE];
    let settings = u32::from_le_bytes(settings);
    // SAFETY: everything that the kernel reads, writes and executes is allowed.
    unsafe { riscv::register::pmpcfg1::write(settings as usize) };
    // SAFETY: this holds in lockdown too: code is not written, and written memory is not executed.
    unsafe { core::arch::asm!("csrsi 0x747, 1", options(nostack)) };
}

/// Returns true if machine-mode lockdown is on.
pub(crate) fn is_locked_down() -> bool {
    let security: usize;
    // SAFETY: this is only called on a hart that has the register, and reading it has no effect.
    unsafe { core::arch::asm!("csrr {}, 0x747", out(reg) security, options(nostack, nomem)) };
    security & 1 != 0
}

/// Runs `body` with known values in the callee-saved registers. Returns true if they were
/// preserved.
pub(crate) fn with_registers(mut body: &mut dyn FnMut()) -> bool {
    extern "C" fn run(body: &mut &mut dyn FnMut()) {
        body();
    }
    let mut kept = [0x1111_0002_u32, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let before = kept;
    let [s2, s3, s4, s5, s6, s7, s8, s9, s10, s11] = &mut kept;
    // SAFETY: this calls a function by the C calling convention with its one argument. Everything
    // that the function may change is listed.
    unsafe {
        core::arch::asm!(
            "jalr {function}",
            function = in(reg) run as *const () as usize,
            inout("a0") &raw mut body => _,
            inout("s2") *s2, inout("s3") *s3, inout("s4") *s4, inout("s5") *s5, inout("s6") *s6,
            inout("s7") *s7, inout("s8") *s8, inout("s9") *s9, inout("s10") *s10,
            inout("s11") *s11,
            clobber_abi("C"),
        );
    }
    kept == before
}

/// The allocator for the type in the article's listing, of which no value is ever allocated.
struct NoHeap;

// SAFETY: it never allocates any memory.
unsafe impl core::alloc::GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;
