//! The machine's own limit: two processes that spin on two cache lines, without system calls. No
//! call into another process can be faster.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use omniglot_turns::Variant;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::process::Pid;
use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The hidden argument that makes this program the partner.
const PARTNER: &str = "--pingpong-partner";
/// The message that ends the partner.
const STOP: u32 = u32::MAX;
/// The message that lets the partner sleep between polls, so that other variants have its core.
const REST: u32 = u32::MAX - 1;
/// How long the partner sleeps then.
const NAP: Duration = Duration::from_micros(200);
const SIZE: usize = 4096;
/// Offset of the answer's word, a few cache lines from the question's.
const ANSWER: usize = 64;

/// Two words in memory that both processes map.
struct Table {
    start: NonNull<u8>,
}

// SAFETY: only atomics are accessed through the pointer.
unsafe impl Send for Table {}

impl Table {
    fn map(file: impl AsFd) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses, never unmapped.
        let start =
            unsafe { mmap(std::ptr::null_mut(), SIZE, protection, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).context("a mapping at address 0")?;
        Ok(Self { start })
    }

    fn word(&self, word: usize) -> &AtomicU32 {
        // SAFETY: both words lie in the mapping, which is never unmapped.
        let place = unsafe { self.start.add(word * size_of::<u32>()) };
        // SAFETY: the word is aligned, initially zero, and only accessed as an atomic.
        unsafe { place.cast::<AtomicU32>().as_ref() }
    }

    fn question(&self) -> &AtomicU32 {
        self.word(0)
    }

    fn answer(&self) -> &AtomicU32 {
        self.word(ANSWER)
    }
}

/// The partner process, which exits when this is dropped.
struct Partner {
    table: Table,
    child: Child,
    asked: u32,
}

impl Partner {
    fn start() -> Result<Self> {
        let file = memfd_create("pingpong", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, SIZE as u64)?;
        let table = Table::map(&file)?;
        let program = std::env::current_exe().context("finding this program")?;
        let stdin = Stdio::from(file);
        let child = Command::new(program).arg(PARTNER).stdin(stdin).spawn()?;
        Ok(Self { table, child, asked: 0 })
    }

    /// Keeps the partner off this thread's processor: neither ever sleeps there, so each would wait
    /// until the other's time is up.
    fn part(&self) -> Result<()> {
        let mut others = sched_getaffinity(None)?;
        others.unset(sched_getcpu());
        if others.count() > 0 {
            sched_setaffinity(Some(Pid::from_child(&self.child)), &others)?;
        }
        Ok(())
    }

    fn round_trip(&mut self) -> Result<()> {
        self.asked = (self.asked + 1) % REST;
        self.table.question().store(self.asked, Ordering::Release);
        let mut spins = 0u64;
        while self.table.answer().load(Ordering::Acquire) != self.asked {
            std::hint::spin_loop();
            spins += 1;
            if spins.is_multiple_of(1 << 24) && self.child.try_wait()?.is_some() {
                bail!("the ping-pong partner ended");
            }
        }
        Ok(())
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.table.question().store(STOP, Ordering::Release);
        // An error needs no handling: the partner exits with its parent in any case.
        let _ = self.child.wait();
    }
}

/// One operation is one round trip. The partner sleeps between batches.
pub(crate) fn variant() -> Result<Variant> {
    let partner = Rc::new(RefCell::new(Partner::start()?));
    let woken = Rc::clone(&partner);
    let variant = Variant::new("pingpong", move |count| {
        let mut partner = partner.borrow_mut();
        for _ in 0..count {
            partner.round_trip()?;
        }
        partner.table.question().store(REST, Ordering::Release);
        Ok(())
    });
    Ok(variant.waking(move || {
        let mut partner = woken.borrow_mut();
        partner.part()?;
        partner.round_trip()
    }))
}

/// Returns true if this process was started as the partner.
pub(crate) fn is_partner() -> bool {
    std::env::args().nth(1).is_some_and(|argument| argument == PARTNER)
}

/// Answers every question until it gets the message to stop, or the other process has exited.
pub(crate) fn answer() -> Result<()> {
    let parent = rustix::process::getppid();
    let table = Table::map(std::io::stdin())?;
    let mut last = 0;
    let mut spins = 0u64;
    loop {
        let question = table.question().load(Ordering::Acquire);
        match question {
            STOP => return Ok(()),
            REST => std::thread::sleep(NAP),
            _ if question == last => {}
            _ => {
                table.answer().store(question, Ordering::Release);
                last = question;
            }
        }
        std::hint::spin_loop();
        spins += 1;
        if spins.is_multiple_of(1 << 16) && rustix::process::getppid() != parent {
            return Ok(());
        }
    }
}
