//! Which instance, and which of its scopes, a reference belongs to.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Identifies an instance for as long as the process lives; and the scope that memory belongs to,
/// if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId {
    pub(crate) life: usize,
    /// The scope's number; 0 for memory that belongs to no scope.
    #[cfg(feature = "alloc")]
    pub(crate) scope: u64,
}

impl InstanceId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self {
            life: NEXT.fetch_add(1, Ordering::Relaxed),
            #[cfg(feature = "alloc")]
            scope: 0,
        }
    }

    /// The identity of memory that belongs to this scope.
    #[cfg(feature = "alloc")]
    pub(crate) const fn in_scope(self, scope: u64) -> Self {
        Self { scope, ..self }
    }
}

/// The scopes in progress. They nest, so the innermost one is the last.
#[cfg(feature = "alloc")]
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    live: Vec<u64>,
    last: u64,
}

#[cfg(feature = "alloc")]
impl Scopes {
    /// A scope begins; its number is unique.
    pub(crate) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.live.push(self.last);
        self.last
    }

    /// The scope ends, and so do those in it.
    pub(crate) fn end(&mut self, number: u64) {
        self.live.retain(|live| *live < number);
    }

    pub(crate) fn is_live(&self, number: u64) -> bool {
        self.live.iter().rev().any(|live| *live == number)
    }
}
