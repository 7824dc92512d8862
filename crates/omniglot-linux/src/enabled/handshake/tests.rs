//! Every order in which the two sides can run, and every value that their loads can see.
//!
//! The host's side is the code of the channel itself. The worker's is written in C; here it
//! goes through the same functions, and a test compares what it does to the shared words.

use std::process::Command;

use loom::sync::atomic::{AtomicU32, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::*;

/// How many calls one run makes: the second one starts from what the first one left.
const CALLS: u32 = 2;
/// How often a run may switch sides where it need not. Three are enough to find each of the
/// mistakes below; four find none more.
const CHANGES: usize = 3;

/// Which barrier is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The announcement is an ordinary store.
    Announcement,
    /// The number is an ordinary store.
    Number,
    /// The kernel does not compare the word before it puts a thread to sleep.
    Comparison,
}

/// A word of the model, with the barriers of x86-64: a sequentially consistent store is followed by
/// one.
struct Modelled {
    word: AtomicU32,
    barrier: bool,
}

impl Modelled {
    fn new(barrier: bool) -> Self {
        Self { word: AtomicU32::new(0), barrier }
    }

    fn barrier(&self, order: Ordering) {
        if self.barrier && order == Ordering::SeqCst {
            fence(Ordering::SeqCst);
        }
    }
}

impl Word for Modelled {
    fn load(&self, order: Ordering) -> u32 {
        let weaker = if order == Ordering::Relaxed { order } else { Ordering::Acquire };
        self.word.load(weaker)
    }

    fn store(&self, value: u32, order: Ordering) {
        let weaker = if order == Ordering::Relaxed { order } else { Ordering::Release };
        self.word.store(value, weaker);
        self.barrier(order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        // Not an exchange, which the model would order before all later ones.
        let before = self.word.load(Ordering::Relaxed);
        self.store(value, order);
        before
    }
}

/// futex(2): compares and sleeps under one lock, which a waker takes, too. The kernel's lock is a
/// full barrier on x86-64; nothing here relies on that.
struct Futex {
    queue: Mutex<()>,
    woken: Condvar,
    compares: bool,
}

impl Futex {
    fn new(compares: bool) -> Self {
        Self { queue: Mutex::new(()), woken: Condvar::new(), compares }
    }

    fn wait(&self, word: &Modelled, seen: u32) {
        let queue = self.queue.lock().expect("the queue");
        if !self.compares || word.load(Ordering::SeqCst) == seen {
            drop(self.woken.wait(queue).expect("the queue"));
        }
    }

    fn wake(&self) {
        let _queue = self.queue.lock().expect("the queue");
        self.woken.notify_one();
    }
}

/// One direction: a word, the announcement of who waits for it, and the kernel's queue.
struct Direction {
    word: Modelled,
    sleeps: Modelled,
    futex: Futex,
    message: AtomicU32,
}

impl Direction {
    fn new(mistake: Mistake) -> Self {
        Self {
            word: Modelled::new(mistake != Mistake::Number),
            sleeps: Modelled::new(mistake != Mistake::Announcement),
            futex: Futex::new(mistake != Mistake::Comparison),
            message: AtomicU32::new(0),
        }
    }

    fn send(&self, number: u32) {
        self.message.store(number, Ordering::Relaxed);
        if post(&self.word, number, &self.sleeps) {
            self.futex.wake();
        }
    }

    fn is_there(&self, number: u32) -> bool {
        self.word.load(Ordering::Acquire) == number
    }

    fn sleep(&self, number: u32) {
        let wait = |seen| self.futex.wait(&self.word, seen);
        sleep(&self.word, &self.sleeps, |seen| seen == number, wait);
    }

    /// As the host does: it withdraws its announcement after each sleep. In this model no sleep
    /// ends by itself.
    fn receive_as_host(&self, number: u32) {
        while !self.is_there(number) {
            self.sleep(number);
            withdraw(&self.sleeps);
        }
        assert_eq!(self.message.load(Ordering::Relaxed), number, "the message of this number");
    }

    /// As the worker does: it withdraws its announcement once there is a request.
    fn receive_as_worker(&self, number: u32) {
        if !self.is_there(number) {
            self.sleep(number);
            while !self.is_there(number) {
                self.sleep(number);
            }
            withdraw(&self.sleeps);
        }
        assert_eq!(self.message.load(Ordering::Relaxed), number, "the message of this number");
    }
}

/// Calls that are answered, with a mistake in the host's part or in the worker's.
fn calls(in_request: Mistake, in_response: Mistake) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(CHANGES);
    model.check(move || {
        let request = Arc::new(Direction::new(in_request));
        let response = Arc::new(Direction::new(in_response));
        let worker = {
            let (request, response) = (Arc::clone(&request), Arc::clone(&response));
            thread::spawn(move || {
                for number in 1..=CALLS {
                    request.receive_as_worker(number);
                    response.send(number);
                }
            })
        };
        for number in 1..=CALLS {
            request.send(number);
            response.receive_as_host(number);
        }
        worker.join().expect("the worker");
    });
}

#[test]
fn no_wake_up_is_lost() {
    calls(Mistake::None, Mistake::None);
}

const MISTAKES: [Mistake; 3] = [Mistake::Announcement, Mistake::Number, Mistake::Comparison];
/// Tells a copy of this test which mistake to make, and on which side.
const MADE: &str = "OMNIGLOT_TEST_MISTAKE";

/// Not a test by itself: makes the mistake that the variable names.
#[test]
fn helper() {
    let made = std::env::var(MADE).unwrap_or_default();
    for (number, mistake) in MISTAKES.into_iter().enumerate() {
        if made == format!("request {number}") {
            calls(mistake, Mistake::None);
        }
        if made == format!("response {number}") {
            calls(Mistake::None, mistake);
        }
    }
}

/// The model ends its process when both sides would sleep for ever.
#[test]
fn each_missing_barrier_loses_one() {
    for side in ["request", "response"] {
        for number in 0..MISTAKES.len() {
            let output = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "enabled::handshake::tests::helper", "--nocapture"])
                .env(MADE, format!("{side} {number}"))
                .output()
                .expect("a copy of this test");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{side} {number}: no wake-up was lost");
            assert!(said.contains("deadlock"), "{side} {number}: {said}");
        }
    }
}

/// The worker's accesses to the shared words, in its order; the model above has the same.
#[test]
fn the_worker_does_what_the_model_does() {
    let sources =
        [include_str!("../../../worker/post.h"), include_str!("../../../worker/loader/serve.c")];
    let lines = sources.iter().flat_map(|source| source.lines());
    let done: Vec<_> = lines.map(str::trim).filter(|line| line.contains("__atomic_")).collect();
    assert_eq!(
        done,
        [
            "__atomic_exchange_n(&channel->response, number, __ATOMIC_SEQ_CST);",
            "if (__atomic_load_n(&sleepers_of(control)->host, __ATOMIC_SEQ_CST)) {",
            "return __atomic_load_n(&channel->request, __ATOMIC_ACQUIRE) != answered;",
            "__atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);",
            "if (__atomic_load_n(&channel->request, __ATOMIC_SEQ_CST) == answered)",
            "__atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);",
        ]
    );
}
