//! What is put off because it is a call of SQLite's, and a `Drop` has no instance.

use std::mem;
use std::sync::{Mutex, PoisonError};

use omniglot::Ptr;

use crate::sqlite::{Api, sqlite3_stmt};

/// Something to do with a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Later {
    /// Its rows are no longer read.
    Reset(Ptr<sqlite3_stmt>),
    /// It is no longer used.
    Finalize(Ptr<sqlite3_stmt>),
}

/// What is to be done before the database's next operation.
#[derive(Debug, Default)]
pub(crate) struct Deferred(Mutex<Vec<Later>>);

impl Deferred {
    pub(crate) fn push(&self, later: Later) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(later);
    }

    /// Does it all. Both repeat the error of the statement's last step as their status,
    /// which is known already.
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
