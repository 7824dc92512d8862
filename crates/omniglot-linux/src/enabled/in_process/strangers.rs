//! Threads that are in a handler of the host's and have no record: while they are, they get none.
//!
//! A handler can come at any instruction of such a thread, also where its thread-local variables
//! have yet to be allocated. So there is a table of such threads.
#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// How many threads the table has room for.
const MOST: usize = 256;

/// Threads in handlers.
pub(super) struct Strangers {
    places: [ThreadSlot; MOST],
    /// How many are in a handler that has no place: while there are some, no thread gets a record.
    unlisted: AtomicUsize,
}

/// A thread's FS base, or 0, and its number when the handler began.
struct ThreadSlot {
    pointer: AtomicUsize,
    number: AtomicU32,
}

/// Those of this process.
pub(super) static STRANGERS: Strangers = Strangers::new();

impl Strangers {
    const fn new() -> Self {
        let places = [const { ThreadSlot { pointer: AtomicUsize::new(0), number: AtomicU32::new(0) } };
            MOST];
        Self { places, unlisted: AtomicUsize::new(0) }
    }

    /// Runs a handler on the thread with that FS base and number.
    pub(super) fn in_handler(&self, pointer: usize, number: u32, handler: impl FnOnce()) {
        let take = |place: &&ThreadSlot| {
            let before = &place.pointer;
            before.compare_exchange(0, pointer, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        match self.places.iter().find(take) {
            Some(place) => {
                place.number.store(number, Ordering::Relaxed);
                handler();
                place.pointer.store(0, Ordering::Release);
            }
            None => {
                self.unlisted.fetch_add(1, Ordering::AcqRel);
                handler();
                self.unlisted.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// Whether the calling thread, which has that FS base and number, is in such a handler.
    ///
    /// In a forked child other threads of its parent stay listed. One of its own may have the FS
    /// base of such a thread, but not its number. The one that forked has another number than
    /// before, which is the process's.
    pub(super) fn have(&self, pointer: usize, number: u32) -> bool {
        let is_it = |place: &ThreadSlot| {
            place.pointer.load(Ordering::Acquire) == pointer
                && (place.number.load(Ordering::Relaxed) == number || number == std::process::id())
        };
        self.unlisted.load(Ordering::Acquire) != 0 || self.places.iter().any(is_it)
    }
}

/// The calling thread's FS base, whatever is there. Only where there are domains in the host's
/// process, which need the instruction.
pub(super) fn base_of_fs() -> usize {
    let base;
    // SAFETY: reads a base; processor and kernel allow it, as the caller knows (invariant 17).
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_handler_is_known_and_who_left_is_not() {
        let strangers = Strangers::new();
        assert!(!strangers.have(8, 1));
        strangers.in_handler(8, 1, || {
            assert!(strangers.have(8, 1));
            assert!(!strangers.have(8, 2), "a forked child's thread in its place");
            assert!(strangers.have(8, std::process::id()), "who forked in the handler");
            assert!(!strangers.have(16, 1));
            strangers.in_handler(8, 1, || assert!(strangers.have(8, 1)));
            assert!(strangers.have(8, 1));
        });
        assert!(!strangers.have(8, 1));
    }

    #[test]
    fn with_a_full_table_nobody_gets_a_record() {
        fn nest(strangers: &Strangers, depth: usize) {
            assert_eq!(strangers.have(1, 1), depth > MOST);
            if depth <= MOST {
                strangers.in_handler(2 + depth, 1, || nest(strangers, depth + 1));
            }
        }
        let strangers = Strangers::new();
        nest(&strangers, 0);
        assert!(!strangers.have(1, 1));
    }
}
