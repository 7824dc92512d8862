//! The host's end of the call channel: one cache line in the window.
//!
//! The host writes a request and then its number; the worker writes an event and then the same
//! number. A side that waits spins for a while, then announces that it sleeps, checks once more,
//! and sleeps on the other's number (`handshake`). Neither side makes a system call for a partner
//! that spins.
#![allow(unsafe_code)]

use std::hint::spin_loop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use omniglot_core::{Error, Result, faults};
use rustix::process::Pid;
use rustix::thread::{futex, sched_getcpu};

use super::handshake;
use super::layout::{CHANNEL, SLEEPERS, WORLD_SAID, WORLD_TIME};
use super::mapping::Mapping;
use super::parting::Parting;
use super::probes;
use super::processors;
use super::spinning::{Spinning, Spins};

/// `struct channel` of `worker/control.h`.
#[repr(C, align(16))]
struct Line {
    request: AtomicU32,
    response: AtomicU32,
    operation: AtomicU32,
    event: AtomicU32,
    entry: AtomicU64,
    arguments: AtomicU64,
    slot: AtomicU32,
    depth: AtomicU32,
    /// 1 + the number of the processor on which the worker last went to sleep or woke the host; 0 if
    /// unknown.
    processor: AtomicU32,
    unused: AtomicU32,
}

/// `struct sleepers` of `worker/control.h`: who sleeps, on a line that stays in
/// both caches as long as nobody does.
#[repr(C, align(64))]
struct Sleepers {
    host: AtomicU32,
    worker: AtomicU32,
}

const _: () = assert!(size_of::<Line>() == 48, "the rest of the cache line is the first frame's");

/// What the host asks for: `enum operation`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Call = 1,
    Resume = 2,
    Raise = 3,
}

/// The kinds of the worker's messages: `enum event`. The content is unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Ready {
        image: usize,
    },
    Returned {
        depth: u32,
    },
    Callback {
        depth: u32,
        slot: u32,
        arguments: usize,
    },
    /// Sent during a call: the library no longer uses this memory.
    GiveBack {
        address: usize,
        len: usize,
    },
    /// The worker ends, and has left a report.
    Ending(Ending),
}

/// The reason that a worker gives for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Fault,
    Denied,
    Exited,
    LoadFailed,
    StartFailed,
}

/// The host's end.
#[derive(Debug)]
pub(super) struct Channel {
    line: NonNull<Line>,
    sleepers: NonNull<Sleepers>,
    mapping: Arc<Mapping>,
    /// The number of the last request.
    number: u32,
    spinning: Spinning,
    /// Whether the host did not find the last answer while it spun, and so has slept.
    has_slept: bool,
    parting: Parting,
    /// The process that calls run in, once there is one.
    worker: Option<Pid>,
}

// SAFETY: the pointers are into a mapping that any thread may use (invariants 2, 3).
unsafe impl Send for Channel {}

impl Channel {
    /// The channel of a fresh window, with the first request, to load, already made.
    pub(super) fn new(mapping: Arc<Mapping>, spins: Spins) -> Self {
        let line = mapping.at(CHANNEL).cast();
        let sleepers = mapping.at(SLEEPERS).cast();
        let spinning = Spinning::new(spins);
        let parting = Parting::new(probes::may_set_affinity());
        let (has_slept, worker) = (false, None);
        let channel =
            Self { line, sleepers, mapping, number: 1, spinning, has_slept, parting, worker };
        channel.line().request.store(1, Ordering::Release);
        channel
    }

    /// Says which process calls run in.
    pub(super) fn set_worker(&mut self, id: u32) {
        self.worker = i32::try_from(id).ok().and_then(Pid::from_raw);
    }

    /// The mapping that the channel lies in.
    pub(super) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    #[inline]
    fn line(&self) -> &Line {
        // SAFETY: mapped, aligned and zeroed at first (invariant 1), alive as long as
        // `self.mapping` (invariant 3); only atomics (invariant 2), so the worker may write
        // meanwhile (invariant 4).
        unsafe { self.line.as_ref() }
    }

    #[inline]
    fn sleepers(&self) -> &Sleepers {
        // SAFETY: as in `line` (invariants 1, 2, 3).
        unsafe { self.sleepers.as_ref() }
    }

    /// Sends a request.
    #[inline]
    pub(super) fn request(&mut self, operation: Operation, entry: usize, arguments: usize) {
        self.number = self.number.wrapping_add(1);
        let line = self.line();
        line.operation.store(operation as u32, Ordering::Relaxed);
        line.entry.store(entry as u64, Ordering::Relaxed);
        line.arguments.store(arguments as u64, Ordering::Relaxed);
        let is_asleep = handshake::post(&line.request, self.number, &self.sleepers().worker);
        let is_asleep = faults::number(u8::from(is_asleep)) != 0;
        if is_asleep || self.has_slept {
            self.has_slept = false;
            self.start_slowly(is_asleep);
        } else {
            self.parting.is_quick();
        }
    }

    /// Starts the request if one of the two sides has slept: wakes the worker if it is asleep, and
    /// moves it to another processor if calls on the host's have been slow. A worker there may be
    /// awake and still unable to run, since the host's thread runs.
    #[cold]
    fn start_slowly(&mut self, is_asleep: bool) {
        let moves = self.must_move();
        let wake = || {
            if is_asleep {
                wake(&self.line().request);
            }
        };
        match moves {
            Some(worker) => {
                processors::resume_elsewhere(worker, wake);
                self.parting.moved();
            }
            None => wake(),
        }
    }

    /// The worker, if it should move to another processor.
    fn must_move(&mut self) -> Option<Pid> {
        let worker = self.worker?;
        if !self.parting.is_slow(Instant::now()) {
            return None;
        }
        // The worker may lie. Then it moves now and then, which only costs time.
        let of_worker = self.line().processor.load(Ordering::Relaxed);
        let is_here = of_worker as usize == sched_getcpu() + 1;
        (is_here && probes::may_still_set_affinity()).then_some(worker)
    }

    /// Stores the time for the library: nanoseconds since 1970.
    #[inline]
    pub(super) fn tell_time(&self, time: u64) {
        let place: NonNull<AtomicU64> = self.mapping.at(WORLD_TIME).cast();
        // SAFETY: as in `line` (invariants 1, 2, 3); aligned to eight bytes by the layout.
        unsafe { place.as_ref() }.store(time, Ordering::Relaxed);
    }

    /// How many bytes the library says that it wrote to its output, in this life.
    #[inline]
    pub(super) fn said(&self) -> u64 {
        let place: NonNull<AtomicU64> = self.mapping.at(WORLD_SAID).cast();
        // SAFETY: as in `line` (invariants 1, 2, 3); aligned to eight bytes by the layout.
        faults::number(unsafe { place.as_ref() }.load(Ordering::Relaxed))
    }

    /// Whether the last request was answered.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        let response = self.line().response.load(Ordering::Acquire);
        response == self.number && faults::number(response) == self.number
    }

    /// Spins for the answer, the longer the more often that succeeded.
    ///
    /// The pause between two checks gives the other side time to write its whole message while it
    /// holds the cache line; without it a call takes twice as long.
    #[inline]
    pub(super) fn spin(&mut self) -> bool {
        let limit = self.spinning.limit();
        for _ in 0..limit {
            if self.is_answered() {
                self.spinning.succeeded(limit);
                return true;
            }
            spin_loop();
        }
        self.spinning.failed();
        self.has_slept = !self.is_answered();
        !self.has_slept
    }

    /// Sleeps until the answer is there, the host is woken, or the time is over.
    pub(super) fn sleep(&self, limit: Duration) {
        let (line, own) = (self.line(), &self.sleepers().host);
        let limit = limit.try_into().ok();
        // Spurious wake-ups and lost races look the same as a wake-up to the caller.
        let wait = |seen| {
            let _ = futex::wait(&line.response, futex::Flags::empty(), seen, limit.as_ref());
        };
        let is_answer = |seen| faults::number(seen) == self.number;
        handshake::sleep(&line.response, own, is_answer, wait);
        handshake::withdraw(own);
    }

    /// The worker's answer, read once.
    #[inline]
    pub(super) fn message(&self) -> Result<Message> {
        let line = self.line();
        let depth = faults::number(line.depth.load(Ordering::Relaxed));
        let arguments = faults::number(line.arguments.load(Ordering::Relaxed)) as usize;
        Ok(match faults::number(line.event.load(Ordering::Relaxed)) {
            1 => Message::Ready { image: arguments },
            2 => Message::Returned { depth },
            3 => {
                let slot = faults::number(line.slot.load(Ordering::Relaxed));
                Message::Callback { depth, slot, arguments }
            }
            9 => {
                let len = faults::number(line.entry.load(Ordering::Relaxed)) as usize;
                Message::GiveBack { address: arguments, len }
            }
            event => Message::Ending(
                Ending::from_event(event).ok_or(Error::Protocol("an unknown event"))?,
            ),
        })
    }

    /// The end that the worker announced, even if it did not answer.
    pub(super) fn ending(&self) -> Option<Ending> {
        Ending::from_event(faults::number(self.line().event.load(Ordering::Relaxed)))
    }
}

impl Ending {
    const fn from_event(event: u32) -> Option<Self> {
        Some(match event {
            4 => Self::Fault,
            5 => Self::Denied,
            6 => Self::Exited,
            7 => Self::LoadFailed,
            8 => Self::StartFailed,
            _ => return None,
        })
    }
}

/// Wakes the thread of the host that waits for an answer in this window, if any.
pub(super) fn wake_host(mapping: &Mapping) {
    let line: NonNull<Line> = mapping.at(CHANNEL).cast();
    // SAFETY: as in `Channel::line` (invariants 1, 2); the caller holds the mapping (invariant 3).
    let line = unsafe { line.as_ref() };
    wake(&line.response);
}

/// Waking cannot fail on a mapped word, and it does not matter if nobody waits.
fn wake(word: &AtomicU32) {
    let _ = futex::wake(word, futex::Flags::empty(), 1);
}
