//! SQLite.

use std::ffi::CStr;

use omniglot::{Error, FnPtr, Ptr, Result, Runtime, Void};

omniglot::include_library!("sqlite");

const REFUSED: Error = Error::Misuse("SQLite refused");

/// Opens a database in memory. It remains open as long as the instance.
pub(crate) fn open<R: Runtime>(sqlite: &mut Sqlite<R>) -> Result<Ptr<sqlite3>> {
    sqlite.scope(|sqlite| {
        let name = sqlite.c_str(c":memory:")?;
        let database = sqlite.out::<Ptr<sqlite3>>()?;
        let status = sqlite.sqlite3_open(name, database)?;
        if status == SQLITE_OK { sqlite.read(database) } else { Err(REFUSED) }
    })
}

/// Executes statements.
pub(crate) fn execute<R: Runtime>(
    sqlite: &mut Sqlite<R>,
    database: Ptr<sqlite3>,
    statements: &CStr,
) -> Result<()> {
    sqlite.scope(|sqlite| {
        let text = sqlite.c_str(statements)?;
        let (none, no_message) = (Ptr::<Void>::null(), Ptr::null());
        let status = sqlite.sqlite3_exec(database, text, FnPtr::null(), none, no_message)?;
        if status == SQLITE_OK { Ok(()) } else { Err(REFUSED) }
    })
}

/// Returns the number that a query finds.
pub(crate) fn number<R: Runtime>(
    sqlite: &mut Sqlite<R>,
    database: Ptr<sqlite3>,
    query: &CStr,
) -> Result<i64> {
    sqlite.scope(|sqlite| {
        let text = sqlite.c_str(query)?;
        let statement = sqlite.out::<Ptr<sqlite3_stmt>>()?;
        let status = sqlite.sqlite3_prepare_v2(database, text, -1, statement, Ptr::null())?;
        if status != SQLITE_OK {
            return Err(REFUSED);
        }
        let statement = sqlite.read(statement)?;
        let is_found = sqlite.sqlite3_step(statement)? == SQLITE_ROW;
        let number = sqlite.sqlite3_column_int64(statement, 0)?;
        sqlite.sqlite3_finalize(statement)?;
        if is_found { Ok(number) } else { Err(REFUSED) }
    })
}
