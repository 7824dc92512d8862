//! SQLite.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, ensure};

/// `SQLITE_OK`.
const OK: c_int = 0;
/// `SQLITE_ROW`.
const ROW: c_int = 100;

unsafe extern "C" {
    fn sqlite3_open(name: *const c_char, database: *mut *mut c_void) -> c_int;
    fn sqlite3_close(database: *mut c_void) -> c_int;
    fn sqlite3_exec(
        database: *mut c_void,
        text: *const c_char,
        callback: *const c_void,
        argument: *mut c_void,
        message: *mut *mut c_char,
    ) -> c_int;
    fn sqlite3_prepare_v2(
        database: *mut c_void,
        text: *const c_char,
        len: c_int,
        statement: *mut *mut c_void,
        rest: *mut *const c_char,
    ) -> c_int;
    fn sqlite3_step(statement: *mut c_void) -> c_int;
    fn sqlite3_column_int64(statement: *mut c_void, column: c_int) -> i64;
    fn sqlite3_finalize(statement: *mut c_void) -> c_int;
}

/// A database in memory.
pub(crate) struct Database(NonNull<c_void>);

impl Database {
    pub(crate) fn open() -> Result<Self> {
        let mut database = ptr::null_mut();
        // SAFETY: the name is a C string, and `database` a place for the result.
        let status = unsafe { sqlite3_open(c":memory:".as_ptr(), &raw mut database) };
        ensure!(status == OK, "SQLite opens no database");
        Ok(Self(NonNull::new(database).context("SQLite returned null")?))
    }

    /// Executes statements.
    pub(crate) fn execute(&self, statements: &CStr) -> Result<()> {
        let (none, text) = (ptr::null_mut(), statements.as_ptr());
        // SAFETY: the database is open; there is no callback; the message is not wanted.
        let status =
            unsafe { sqlite3_exec(self.0.as_ptr(), text, ptr::null(), none, ptr::null_mut()) };
        ensure!(status == OK, "SQLite refused statements");
        Ok(())
    }

    /// Returns the number that a query finds.
    pub(crate) fn number(&self, query: &CStr) -> Result<i64> {
        let mut statement = ptr::null_mut();
        let (into, rest) = (&raw mut statement, ptr::null_mut());
        // SAFETY: the database is open, the query is a C string, `into` a place for the result.
        let status = unsafe { sqlite3_prepare_v2(self.0.as_ptr(), query.as_ptr(), -1, into, rest) };
        ensure!(status == OK, "SQLite refused a query");
        // SAFETY: the statement was just prepared.
        let found = unsafe { sqlite3_step(statement) };
        // SAFETY: as before; without a row this is 0.
        let number = unsafe { sqlite3_column_int64(statement, 0) };
        // SAFETY: as before, and it is not used again.
        unsafe { sqlite3_finalize(statement) };
        ensure!(found == ROW, "SQLite found nothing");
        Ok(number)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: it is open, and not used again.
        unsafe { sqlite3_close(self.0.as_ptr()) };
    }
}
