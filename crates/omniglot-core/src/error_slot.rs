//! Carries a callback's own error out of the foreign call.

use core::cell::Cell;
use core::fmt;

use crate::callback::Escape;
use crate::error::{Cause, Error, Result};

/// Carries an error of the program's own out of a callback, past the foreign call in between.
///
/// In the callback, [`escape`](Self::escape) keeps the error and abandons the call;
/// [`resolve`](Self::resolve) returns it in the place of the call's own error, which is
/// [`Error::Abandoned`]. The instance is poisoned, since foreign code was left in the middle of its
/// work: [reset](crate::Instance::reset) it before the next call.
///
/// ```
/// use omniglot_core::{Error, ErrorSlot, Escape};
/// # #[derive(Debug, PartialEq)] enum Failure { Full, Library(Error) }
/// # impl From<Error> for Failure { fn from(error: Error) -> Self { Self::Library(error) } }
/// # /// Stands for a foreign call that runs a callback.
/// # fn call(callback: impl FnOnce() -> Result<(), Escape>) -> Result<(), Error> {
/// #     callback().map_err(|_| Error::Abandoned)
/// # }
///
/// let slot = ErrorSlot::<Failure>::new();
/// let called = call(|| {
///     // in a closure for `scope.callback`
///     Err(slot.escape(Failure::Full))
/// });
/// assert_eq!(slot.resolve(called), Err(Failure::Full));
/// ```
pub struct ErrorSlot<E> {
    error: Cell<Option<E>>,
}

impl<E> ErrorSlot<E> {
    /// An empty slot.
    #[must_use]
    pub const fn new() -> Self {
        Self { error: Cell::new(None) }
    }

    /// Keeps an error, and abandons the foreign call. The first error is kept.
    pub fn escape(&self, error: impl Into<E>) -> Escape {
        let first = self.error.take().unwrap_or_else(|| error.into());
        self.error.set(Some(first));
        Escape::Abandon
    }

    /// A foreign call's result, or the error that was kept if the call was abandoned for it.
    ///
    /// # Errors
    /// That error, or the call's own.
    pub fn resolve<T>(&self, result: Result<T>) -> Result<T, E>
    where
        E: From<Error>,
    {
        let kept = self.error.take();
        result.map_err(|error| match error {
            Error::Abandoned | Error::Poisoned { by: Cause::Abandoned } => {
                kept.unwrap_or_else(|| error.into())
            }
            _ => error.into(),
        })
    }
}

impl<E> Default for ErrorSlot<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for ErrorSlot<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ErrorSlot").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Failure {
        Own(u8),
        Library(Error),
    }

    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            Self::Library(error)
        }
    }

    #[test]
    fn the_first_error_is_kept_and_comes_out_once() {
        let slot = ErrorSlot::new();
        assert_eq!(slot.escape(Failure::Own(1)), Escape::Abandon);
        assert_eq!(slot.escape(Failure::Own(2)), Escape::Abandon);
        let given_up: Result<()> = Err(Error::Abandoned);
        assert_eq!(slot.resolve(given_up), Err(Failure::Own(1)));
        assert_eq!(slot.resolve(given_up), Err(Failure::Library(Error::Abandoned)));
    }

    #[test]
    fn another_end_of_the_call_is_told_as_it_is() {
        let slot = ErrorSlot::new();
        let _ = slot.escape(Failure::Own(1));
        let other: Result<()> = Err(Error::Interrupted);
        assert_eq!(slot.resolve(other), Err(Failure::Library(Error::Interrupted)));
        let _ = slot.escape(Failure::Own(2));
        assert_eq!(slot.resolve(Ok(5)), Ok(5));
        assert_eq!(
            slot.resolve::<()>(Err(Error::Abandoned)),
            Err(Failure::Library(Error::Abandoned))
        );
    }
}
