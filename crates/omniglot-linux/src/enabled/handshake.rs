//! How two sides that share memory wake each other, independent of where that memory is.
//!
//! Each side has a *word*, a number that only it changes, and an *announcement* that it sleeps. A
//! side that changes its word reads the other's announcement afterwards. A side that goes to sleep
//! announces it, reads the other's word once more, and makes the kernel compare it again. A full
//! barrier lies between the two on both sides, so at least one sees the other, and no wake-up is
//! lost. The tests try all orders in which both can run.

use std::sync::atomic::{AtomicU32, Ordering};

/// A word that both sides see.
pub(super) trait Word {
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    fn swap(&self, value: u32, order: Ordering) -> u32;
}

impl Word for AtomicU32 {
    #[inline]
    fn load(&self, order: Ordering) -> u32 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u32, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.swap(value, order)
    }
}

/// Changes a word; returns true if the other side must be woken.
#[inline]
pub(super) fn post<W: Word>(word: &W, number: u32, others_sleep: &W) -> bool {
    word.swap(number, Ordering::SeqCst);
    others_sleep.load(Ordering::SeqCst) != 0
}

/// Announces a sleep, and calls `wait` to sleep for as long as the other's word has the value that
/// it is given, unless `is_news` now.
pub(super) fn sleep<W: Word>(
    word: &W,
    own_sleep: &W,
    is_news: impl FnOnce(u32) -> bool,
    wait: impl FnOnce(u32),
) {
    own_sleep.store(1, Ordering::SeqCst);
    let seen = word.load(Ordering::SeqCst);
    if !is_news(seen) {
        wait(seen);
    }
}

/// Withdraws the announcement. If the other side still sees it, it makes a needless wake-up, which
/// only costs time.
pub(super) fn withdraw<W: Word>(own_sleep: &W) {
    own_sleep.store(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
