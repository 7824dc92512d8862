//! Canaries: numbers in the host's memory that must not change.

use std::sync::atomic::{AtomicU64, Ordering};

const VALUE: u64 = 0x0ca9_a21e_5ca9_a21e;

static IN_STATIC_DATA: AtomicU64 = AtomicU64::new(VALUE);

/// One canary in each kind of memory. They are atomics, so that every check is a real read.
#[derive(Debug)]
pub(crate) struct Canaries {
    on_stack: AtomicU64,
    on_heap: Box<AtomicU64>,
}

impl Canaries {
    /// Makes canaries. The caller has to keep the value in a variable, so that one is on the stack.
    pub(crate) fn new() -> Self {
        Self { on_stack: AtomicU64::new(VALUE), on_heap: Box::new(AtomicU64::new(VALUE)) }
    }

    fn all(&self) -> [(&'static str, &AtomicU64); 3] {
        [("stack", &self.on_stack), ("heap", &self.on_heap), ("static data", &IN_STATIC_DATA)]
    }

    /// Returns their addresses, which a host should never tell a library.
    pub(crate) fn addresses(&self) -> [(&'static str, usize); 3] {
        self.all().map(|(place, canary)| (place, std::ptr::from_ref(canary).addr()))
    }

    /// Returns true if all are unchanged.
    pub(crate) fn are_unchanged(&self) -> bool {
        self.all().iter().all(|(_, canary)| canary.load(Ordering::SeqCst) == VALUE)
    }
}
