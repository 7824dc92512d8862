//! Prepared statements.

use std::mem;
use std::sync::Arc;

use omniglot::{FnPtr, Ptr};

use crate::deferred::{Deferred, Later};
use crate::sqlite::{self, Api, sqlite3_stmt};
use crate::{Database, Error, Result, Value};

/// A prepared statement: compiled SQL that can be run any number of times.
///
/// When it is dropped, SQLite frees it at the database's next operation, or together with the
/// database. [`close`](Self::close) frees it at once.
#[derive(Debug)]
#[must_use]
pub struct Statement {
    pointer: Ptr<sqlite3_stmt>,
    deferred: Arc<Deferred>,
}

impl Statement {
    pub(crate) fn new(pointer: Ptr<sqlite3_stmt>, deferred: &Arc<Deferred>) -> Self {
        Self { pointer, deferred: Arc::clone(deferred) }
    }

    pub(crate) fn pointer(&self) -> Ptr<sqlite3_stmt> {
        self.pointer
    }

    /// Returns true if this queue's database prepared the statement.
    pub(crate) fn belongs_to(&self, deferred: &Arc<Deferred>) -> bool {
        Arc::ptr_eq(&self.deferred, deferred)
    }

    /// Frees the statement now.
    ///
    /// # Errors
    /// [`Error::OtherDatabase`] if another database prepared it; or the call fails.
    pub fn close(mut self, database: &mut Database) -> Result<()> {
        let api = database.api_for(&self)?;
        let pointer = mem::take(&mut self.pointer);
        // The status repeats the error of the last step, which was reported already.
        api.sqlite3_finalize(pointer)?;
        Ok(())
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if !self.pointer.is_null() {
            self.deferred.push(Later::Finalize(self.pointer));
        }
    }
}

/// Binds a statement's parameters. Returns SQLite's status.
pub(crate) fn bind(
    api: &mut Api,
    statement: Ptr<sqlite3_stmt>,
    parameters: &[Value],
) -> Result<i32> {
    let count = api.sqlite3_bind_parameter_count(statement)?;
    let expected = usize::try_from(count).map_err(|_| Error::Nonsense("a count is negative"))?;
    if expected != parameters.len() {
        return Err(Error::Parameters { expected, given: parameters.len() });
    }
    for (index, value) in (1..).zip(parameters) {
        let status = bind_one(api, statement, index, value)?;
        if status != sqlite::SQLITE_OK {
            return Ok(status);
        }
    }
    Ok(sqlite::SQLITE_OK)
}

fn bind_one(
    api: &mut Api,
    statement: Ptr<sqlite3_stmt>,
    index: i32,
    value: &Value,
) -> omniglot::Result<i32> {
    match value {
        Value::Null => api.sqlite3_bind_null(statement, index),
        Value::Integer(number) => api.sqlite3_bind_int64(statement, index, *number),
        Value::Real(number) => api.sqlite3_bind_double(statement, index, *number),
        Value::Text(text) => api.scope(|api| {
            let (place, len) = (api.copy_in(text.as_bytes())?, text.len() as u64);
            let (place, utf8) = (place.as_ptr().cast(), sqlite::SQLITE_UTF8 as u8);
            api.sqlite3_bind_text64(statement, index, place, len, transient(), utf8)
        }),
        Value::Blob(bytes) => api.scope(|api| {
            let (place, len) = (api.copy_in(bytes)?, bytes.len() as u64);
            api.sqlite3_bind_blob64(statement, index, place, len, transient())
        }),
    }
}

/// `SQLITE_TRANSIENT`: passed in place of a destructor, it makes SQLite copy the data.
pub(crate) fn transient<S>() -> FnPtr<S> {
    FnPtr::from_addr(usize::MAX)
}
