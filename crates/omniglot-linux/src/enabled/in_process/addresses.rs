//! A list of addresses that only grows, usable in signal handlers and forked children, too: it has
//! no lock that another thread might hold.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Addresses of instructions that are never changed again.
#[derive(Debug)]
pub(super) struct Addresses(AtomicPtr<Link>);

#[derive(Debug)]
struct Link {
    address: usize,
    /// The previous entry; null at the end.
    next: *const Self,
}

impl Addresses {
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// Adds an address, which is never removed.
    pub(super) fn add(&self, address: usize) {
        let link = Box::into_raw(Box::new(Link { address, next: null_mut() }));
        let mut next = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: made above, and nobody knows it yet (invariant 13 is of what is stored).
            unsafe { (*link).next = next };
            match self.0.compare_exchange(next, link, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => next = other,
            }
        }
    }

    /// Whether the address is in the list. Usable in signal handlers (invariant 7).
    pub(super) fn contains(&self, address: usize) -> bool {
        let mut link = self.0.load(Ordering::Acquire).cast_const();
        // SAFETY: null, or a link, which is not changed any more once it is in the list, and never
        // given back (invariants 7, 13).
        while let Some(known) = unsafe { link.as_ref() } {
            if known.address == address {
                return true;
            }
            link = known.next;
        }
        false
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::Addresses;

    #[test]
    fn there_is_room_for_as_many_as_there_are() {
        static ALL: Addresses = Addresses::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (0..100).for_each(|index| ALL.add(1 + thread * 100 + index)));
            }
        });
        assert!((1..=400).all(|address| ALL.contains(address)));
        assert!(!ALL.contains(0) && !ALL.contains(401));
    }
}
