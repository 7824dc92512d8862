//! The calls in progress, as a session shows them to its runtime.

use core::time::Duration;

use crate::error::Cause;
use crate::timer::Timer;

/// How deep calls may nest through callbacks. Each level uses some host stack.
pub const MAX_DEPTH: u32 = 64;

/// The calls in progress, as a session shows them to its runtime.
///
/// ```
/// use std::time::Duration;
///
/// use omniglot_core::{Calls, Error};
///
/// // A runtime that runs the library's constructors while it loads, for 10 ms at most:
/// let mut calls = Calls::limited(Duration::from_millis(10), 1_000);
/// assert!(calls.is_alone() && !calls.is_in_operation());
/// assert_eq!((calls.depth(), calls.number()), (0, 0));
/// assert_eq!(calls.renumber(), 1);
///
/// // `time` is in ticks of the runtime's clock, here a thousandth of a second.
/// assert!(calls.time.is_limited());
/// calls.time.add(4);
/// assert_eq!(calls.time.left_after(5)?, Some(1));
/// assert!(matches!(calls.time.left_after(6), Err(Error::Timeout { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calls {
    /// How many calls wait in callbacks.
    pub(crate) depth: u32,
    /// Whether outermost calls are parts of one operation.
    pub(crate) in_operation: bool,
    /// The number of the last outermost call or operation.
    pub(crate) number: u64,
    /// Why no call can be resumed, if the error of the running one does not say so.
    pub(crate) lost: Option<Cause>,
    /// The time of the outermost call or operation.
    pub time: Timer,
}

impl Calls {
    /// No calls, and no time limit: for a runtime that runs foreign code while it loads, before
    /// there is a session.
    #[must_use]
    pub const fn new() -> Self {
        Self { depth: 0, in_operation: false, number: 0, lost: None, time: Timer::new() }
    }

    /// No calls, and a time limit: for one that a runtime makes of its own.
    #[must_use]
    pub fn limited(limit: Duration, ticks_per_second: u64) -> Self {
        let mut calls = Self::new();
        calls.time.set(Some(limit), ticks_per_second);
        calls.time.begin();
        calls
    }

    /// How many calls wait in callbacks below the one that runs.
    #[inline(always)]
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the running call is an outermost one and not part of an operation, so that no later
    /// call shares its time.
    #[inline(always)]
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.depth == 0 && !self.in_operation
    }

    /// Whether the running call is part of an operation.
    #[must_use]
    pub const fn is_in_operation(&self) -> bool {
        self.in_operation
    }

    /// The number of the outermost call or operation in progress: greater than all before it.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// A number for a call of the runtime's own, which an interruption of the one in progress does
    /// not affect.
    pub const fn renumber(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Poisons the session if the running step fails, whatever its error.
    pub const fn lose(&mut self, cause: Cause) {
        self.lost = Some(cause);
    }

    /// Ends all calls; numbering continues.
    pub(crate) const fn forget(&mut self) {
        self.depth = 0;
        self.in_operation = false;
        self.lost = None;
        self.time.begin();
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}
