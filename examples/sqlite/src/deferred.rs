//! Deferred work: it needs calls to SQLite, and a `Drop` has no access to the instance.

use std::mem;
use std::sync::{Mutex, PoisonError};

use omniglot::Ptr;

use crate::sqlite::{Api, sqlite3_stmt};

/// Deferred work on a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Later {
    /// Reset the statement, since its rows are no longer read.
    Reset(Ptr<sqlite3_stmt>),
    /// Finalize the statement, since it is no longer used.
    Finalize(Ptr<sqlite3_stmt>),
}

/// The work to do before the database's next operation.
#[derive(Debug, Default)]
pub(crate) struct Deferred(Mutex<Vec<Later>>);

impl Deferred {
    pub(crate) fn push(&self, later: Later) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(later);
    }

    /// Does all deferred work. The status of both functions only repeats the error of the
    /// statement's last step, which was reported already.
    pub(crate) fn run(&self, api: &mut Api) -> omniglot::Result<()> {
        let all = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for later in all {
            match later {
                Later::Reset(statement) => api.sqlite3_reset(statement)?,
                Later::Finalize(statement) => api.sqlite3_finalize(statement)?,
            };
        }
        Ok(())
    }
}
